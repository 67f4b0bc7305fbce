"""Make the JSON schema of assignment files, for editors that complete TOML."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from harness.contracts.evaluator import ClassEvaluator, Evaluator
from harness.plugins import Plugins
from harness.values.rules import AssignmentFile


def json_schema(plugins: Plugins) -> dict[str, Any]:
    """The JSON schema of assignment files, with the options of the installed evaluators, for editors."""
    schema = AssignmentFile.model_json_schema()
    kinds: dict[str, Mapping[str, Evaluator[Any] | ClassEvaluator[Any]]] = {
        "evaluators": plugins.evaluators,
        "class_evaluators": plugins.class_evaluators,
    }
    for key, known in kinds.items():
        options: dict[str, Any] = {}
        for name, evaluator in sorted(known.items()):
            # Every plugin's definitions get a corner of their own, or two plugins' `Mode` would be one.
            options[name] = evaluator.Options.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
            options[name]["description"] = inspect.getdoc(type(evaluator)) or ""
            for model, definition in options[name].pop("$defs", {}).items():
                schema["$defs"][f"{name}.{model}"] = definition
        schema["properties"][key] = {
            "description": schema["properties"][key]["description"],
            "type": "object",
            "minProperties": int(key == "evaluators"),
            "properties": options,
            "additionalProperties": False,
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
