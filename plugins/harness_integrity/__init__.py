"""Probe integrity: does the network compute what it is graded for, with the weights that are counted?"""
