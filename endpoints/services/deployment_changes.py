"""What a change of a deployment comes to: the columns and the template it touches, in words and for the record."""

from __future__ import annotations

from dataclasses import dataclass

from endpoints.models import OnlineDeployment
from endpoints.services.operations import Change
from endpoints.services.templates import Template


@dataclass(frozen=True, slots=True)
class DeploymentDifference:
    """What a change comes to. `row`: columns with their new values; `template`: None where instances stay."""

    row: dict[str, object]
    template: Template | None

    def __bool__(self) -> bool:
        return bool(self.row) or self.template is not None

    @property
    def touches_instances(self) -> bool:
        return self.template is not None or "instance_count" in self.row

    def summary(self, deployment: OnlineDeployment, before: dict[str, object]) -> str:
        parts = [f"{key.replace('_', ' ')}" for key in self.row if key != "instance_count"]
        if "instance_count" in self.row:
            parts.insert(0, f"instance count {deployment.instance_count} to {self.row['instance_count']}")
        if self.template:
            spec = self.template.spec
            changed = [key for key in (*spec, *before) if spec.get(key) != before.get(key)]
            parts += [key.replace("_", " ") for key in dict.fromkeys(changed) if key not in self.row]
        return "Change " + ", ".join(parts)

    def change(self, deployment: OnlineDeployment, before: dict[str, object]) -> Change:
        after = self.template.spec if self.template else before
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return Change(
            {**{key: getattr(deployment, key) for key in self.row}, **{key: before.get(key) for key in changed}},
            {**self.row, **{key: after.get(key) for key in changed}},
        )
