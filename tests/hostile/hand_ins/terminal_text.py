# Prints and raises escape sequences that retitle a terminal, clear it and colour verdicts.
# expect: crashed
# reason: ^ValueError
from attack import Attack

EVIL = "\x1b]0;pwned\x07\x1b[2J\x1b[1;32mpassed\x1b[0m\x9b31m\u202e\r\x08\x00[red]=cmd|'!A0"


class StudentNet(Attack):
    def attack(self):
        print(EVIL, flush=True)
        raise ValueError(EVIL)
