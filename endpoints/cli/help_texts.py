"""What help says beyond each verb's own sentence: the nouns, and examples for the verbs people start with."""

from __future__ import annotations

from knack.help import CLIHelp
from knack.help_files import helps

# Each line is wrapped for itself.
WELCOME = """
Slipway: models behind a stable URL, on your own machines.

Start a studio on this machine: slipway up
Make the base image containers are built on: slipway images build-base
See what is on this machine and mend it: slipway doctor [--fix]
The commands below talk to it, or to the one that SLIPWAY_URL and SLIPWAY_TOKEN name.
"""

_GROUPS = {
    "account": "Accepted for scripts written for Azure.",
    "endpoint": "The verbs of 2021, when an endpoint's document held its deployments.",
    "environment": "What the user's code runs in: an image, conda or pip packages, and their build.",
    "monitor": "What watches over deployments and acts by itself.",
    "monitor autoscale": "How many instances, when: by rules, by the week, to zero.",
    "monitor autoscale profile": "Other bounds on some days of the week.",
    "monitor autoscale rule": "When to add and take away instances.",
    "monitor metrics": "What was measured at endpoints and deployments.",
    "model": "Trained models: files under a name and a version.",
    "online-deployment": "What runs behind an endpoint: a model, code, an environment and instances.",
    "loan": "Cores of the shared pool, lent to deployments for a time.",
    "setting": "What holds for the whole studio: limits, the shared pool, how long logs are kept.",
    "online-endpoint comparison": "What a shadow answers, held against what callers got.",
    "online-endpoint rollout": "Shift traffic to a new deployment in stages, taken back by itself when a gate breaks.",
    "online-endpoint": "Stable URLs with keys, and the split of traffic over their deployments.",
}
_EXAMPLES = {
    "model create": ("Register the folder that model.yml names", "slipway model create -n my-model -v 1 -f model.yml"),
    "environment create": ("Register an environment", "slipway environment create -n my-env -v 1 -f environment.yml"),
    "online-endpoint create": (
        "Create an endpoint",
        "slipway online-endpoint create --name my-endpoint -f endpoint.yml",
    ),
    "online-endpoint update": (
        "Shift a tenth of the traffic",
        'slipway online-endpoint update -n my-endpoint --traffic "blue=90 green=10"',
    ),
    "online-endpoint comparison show": (
        "Mirror a tenth of the requests to green and compare what it answers",
        'slipway online-endpoint update -n my-endpoint --mirror-traffic "green=10" --set comparison.sample_percent=100',
    ),
    "online-endpoint invoke": (
        "Send a file to one deployment, whatever its traffic",
        "slipway online-endpoint invoke -n my-endpoint --deployment green --request-file request.json",
    ),
    "online-endpoint get-credentials": (
        "Put the key into a variable",
        "KEY=$(slipway online-endpoint get-credentials -n my-endpoint -o tsv --query primaryKey)",
    ),
    "online-endpoint rollout start": (
        "Start what plan.yml says and watch it; exit code 1 where it was taken back",
        "slipway online-endpoint rollout start -f plan.yml",
    ),
    "online-deployment create": (
        "Create a deployment and send all traffic to it",
        "slipway online-deployment create -n blue -e my-endpoint -f blue.yml --all-traffic",
    ),
    "online-deployment update": (
        "Change one setting",
        "slipway online-deployment update -n blue -e my-endpoint --set instance_count=2",
    ),
    "plan": (
        "What two documents would change",
        "slipway plan -f endpoint.yml blue.yml",
    ),
    "apply": (
        "Bring everything to what the documents say, and delete what left them",
        "slipway apply -f endpoint.yml blue.yml green.yml --prune",
    ),
    "online-deployment revisions": (
        "What revision 3 changed against revision 1",
        "slipway online-deployment revisions -n blue -e my-endpoint --revision 3 --against 1 -o table",
    ),
    "online-deployment rollback": (
        "Go back to the first revision",
        "slipway online-deployment rollback -n blue -e my-endpoint --revision 1",
    ),
    "monitor autoscale create": (
        "Between 2 and 5 instances",
        (
            "slipway monitor autoscale create -n my-scaling --resource my-endpoint/blue "
            "--min-count 2 --max-count 5 --count 2"
        ),
    ),
    "monitor autoscale rule create": (
        "Two more when the CPU is busy",
        (
            "slipway monitor autoscale rule create --autoscale-name my-scaling "
            '--condition "CpuUtilizationPercentage > 70 avg 5m" --scale out 2'
        ),
    ),
    "monitor autoscale profile create": (
        "Two at weekends",
        (
            "slipway monitor autoscale profile create -n weekend --autoscale-name my-scaling "
            '--recurrence week sat sun --timezone "Pacific Standard Time" --min-count 2 --count 2 --max-count 2'
        ),
    ),
    "monitor metrics list": (
        "How busy the instances of a deployment are, and how full their disks",
        (
            "slipway monitor metrics list --resource my-endpoint/blue --offset 24h "
            "--metrics CpuUtilizationPercentage DiskUtilization -o table"
        ),
    ),
    "online-deployment get-logs": (
        "Follow the log of all instances",
        "slipway online-deployment get-logs -n blue -e my-endpoint --follow",
    ),
}


class Help(CLIHelp):  # type: ignore[misc]
    """knack's help with our welcome."""

    def __init__(self, cli_ctx: object = None) -> None:
        super().__init__(cli_ctx=cli_ctx, welcome_message=WELCOME)
        for name, summary in _GROUPS.items():
            helps[name] = f"type: group\nshort-summary: {summary!r}\n"
        for name, (title, line) in _EXAMPLES.items():
            helps[name] = f"type: command\nexamples:\n- name: {title!r}\n  text: |-\n    {line}\n"

    def show_privacy_statement(self) -> None:
        """There is none; knack would write a file to remember that it was shown."""
