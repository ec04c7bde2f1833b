"""The command table and its flags, as knack wants them. Importing a command's module waits until it is run."""

from __future__ import annotations

from typing import Any

from knack.arguments import ArgumentsContext
from knack.commands import CLICommandsLoader, CommandGroup

from endpoints.cli.tables import (
    assets_table,
    comparison_table,
    decisions_table,
    definitions_table,
    deployments_table,
    endpoints_table,
    examples_table,
    loans_table,
    metrics_table,
    plan_table,
    policies_table,
    revisions_table,
    rollouts_table,
    settings_table,
)

_ROOM = "endpoints.cli.commands"

# Every long flag there is, for the check of `-name`; kept in step with the flags below by a test.
_WORDS = (  # a line a letter, so that two changes rarely meet
    "add against all-traffic auth-mode autoscale-name "
    "build-context "
    "condition conda-file container cooldown copy-rules count "
    "debug defaults deployment deployment-file deployment-name description disabled dockerfile-path download-path "
    "enabled end endpoint-name example "
    "file follow force-string "
    "help hours "
    "idle-timeout image include-archived index instance "
    "key-type kind "
    "label lines list-defaults "
    "max-count metrics min-count mirror-traffic "
    "name no-wait note "
    "offset only-show-errors os-type output "
    "path percent profile-name prune "
    "query "
    "recurrence remove request-file resource resource-group revision rollout "
    "scale set shared-pool-hours skip-script-validation start subscription "
    "timezone top traffic type "
    "value verbose version "
    "workspace-name "
    "yes "
)
LONG_FLAGS = frozenset(f"--{word}" for word in _WORDS.split())


class Loader(CLICommandsLoader):  # type: ignore[misc]
    """The nouns and verbs of `az ml`."""

    def load_command_table(self, args: list[str]) -> Any:
        self._assets("model", "models", extra=("download",))
        self._assets("environment", "environments", extra=("build", "build-log"))
        with _group(self, "online-endpoint", "endpoints", endpoints_table) as group:
            for verb in ("create", "show", "list", "update"):
                group.command(verb, _function(verb))
            for verb in ("invoke", "get-credentials", "regenerate-keys"):  # their answers are no endpoints
                group.command(verb, _function(verb), table_transformer=None)
            group.command("delete", "delete", confirmation="Delete the endpoint and all its deployments?")
        with _group(self, "online-endpoint rollout", "rollouts", rollouts_table) as group:
            for verb in ("start", "show", "list", "pause", "resume", "promote", "abort"):
                group.command(verb, _function(verb))
        with _group(self, "online-endpoint comparison", "comparisons", comparison_table) as group:
            group.command("show", "show")
            group.command("examples", "examples", table_transformer=examples_table)
            group.command("reset", "reset", confirmation="Forget all that comparing found, the kept answers too?")
            group.command("promote", "promote", table_transformer=endpoints_table)
        with _group(self, "online-deployment", "deployments", deployments_table) as group:
            for verb in ("create", "show", "list", "update", "rollback", "cancel", "retry", "start", "get-logs"):
                group.command(verb, _function(verb))
            for verb in ("wake", "sleep"):
                group.command(verb, verb)
            group.command("revisions", "revisions", table_transformer=revisions_table)
            group.command("delete", "delete", confirmation="Delete the deployment?")
        self._autoscale()
        with _group(self, "monitor metrics", "metrics", metrics_table) as group:
            group.command("list", "list_")
            group.command("list-definitions", "list_definitions", table_transformer=definitions_table)
        with _group(self, "", "planning", plan_table) as group:
            group.command("plan", "plan")
            group.command("apply", "apply")
        with _group(self, "endpoint", "endpoint_2021", endpoints_table) as group:
            for verb in ("create", "show", "list", "update"):
                group.command(verb, _function(verb))
            for verb in ("invoke", "get-logs", "get-credentials", "list-keys", "regenerate-keys"):
                group.command(verb, _function(verb), table_transformer=None)
            group.command(
                "delete", "delete", confirmation="Delete the endpoint and all its deployments, or the one named?"
            )
        with _group(self, "", "settings", None) as group:
            group.command("configure", "configure")
        with _group(self, "setting", "studio", settings_table) as group:
            for verb in ("list", "set", "reset"):
                group.command(verb, f"{verb}_settings" if verb == "list" else f"{verb}_setting")
        with _group(self, "loan", "studio", loans_table) as group:
            group.command("list", "list_loans")
            for verb in ("extend", "repay"):
                group.command(verb, f"{verb}_loan")
        with _group(self, "account", "settings", None) as group:
            group.command("set", "set_account")
            group.command("show", "show_account")
        return super().load_command_table(args)

    def _assets(self, noun: str, module: str, *, extra: tuple[str, ...]) -> None:
        with _group(self, noun, module, assets_table) as group:
            for verb in ("create", "show", "list", "archive", "restore"):
                group.command(verb, _function(verb))
            for verb in extra:
                group.command(verb, _function(verb), table_transformer=None)

    def _autoscale(self) -> None:
        with _group(self, "monitor autoscale", "scaling", policies_table) as group:
            for verb in ("create", "show", "list", "update", "enable", "disable"):
                group.command(verb, _function(verb))
            group.command("delete", "delete", confirmation="Remove the scaling policy?")
            group.command("decisions", "decisions", table_transformer=decisions_table)
        for noun, verbs in (("rule", ("create", "list", "delete")), ("profile", ("create", "list", "show", "delete"))):
            with _group(self, f"monitor autoscale {noun}", "scaling", None) as group:
                for verb in verbs:
                    group.command(verb, f"{noun}_{verb}")

    def load_arguments(self, command: str) -> None:
        with ArgumentsContext(self, "") as flags:
            _common(flags)
        for scope in ("model", "environment"):
            with ArgumentsContext(self, scope) as flags:
                _assets(flags)
        for scope in ("online-endpoint", "online-deployment", "loan"):
            with ArgumentsContext(self, scope) as flags:
                _online(flags)
        with ArgumentsContext(self, "online-endpoint rollout") as flags:
            flags.argument("name", options_list=["--name", "-n"], help="The endpoint's name.")
            flags.argument("file", options_list=["--file", "-f"], help="The rollout's YAML document.")
            flags.argument(
                "number", options_list=["--rollout"], type=int, help="Which of the endpoint's rollouts; the newest."
            )
        with ArgumentsContext(self, "online-endpoint comparison") as flags:
            flags.argument("name", options_list=["--name", "-n"], help="The endpoint's name.")
            flags.argument("kind", options_list=["--kind"], help="Different or ShadowError; both unless given.")
            flags.argument("example", options_list=["--example"], type=int, help="The id of one pair, to see it whole.")
            flags.argument("percent", options_list=["--percent"], type=int, help="The shadow's share; 100.")
        with ArgumentsContext(self, "online-deployment") as flags:
            _logs(flags)
            flags.argument("revision", options_list=["--revision"], type=int, help="The number of a revision.")
            flags.argument("against", options_list=["--against"], type=int, help="Compare with this one; the wanted.")
        for scope in ("plan", "apply"):
            with ArgumentsContext(self, scope) as flags:
                flags.argument(
                    "files", options_list=["--file", "-f"], nargs="+", action="append", required=True,
                    help="YAML documents of endpoints and deployments, in any order.",
                )  # fmt: skip
        with ArgumentsContext(self, "endpoint") as flags:
            _endpoint_2021(flags)
        with ArgumentsContext(self, "loan") as flags:
            flags.argument("hours", options_list=["--hours"], type=int, help="How many hours longer.")
        with ArgumentsContext(self, "online-deployment start") as flags:
            flags.argument(
                "shared_pool_hours", options_list=["--shared-pool-hours"], type=int,
                help="Where its family has no room: for so many hours on cores of the shared pool.",
            )  # fmt: skip
        with ArgumentsContext(self, "setting") as flags:
            flags.argument("value", options_list=["--value"], type=int, help="The number; of yes/no settings 1 is yes.")
            flags.argument("note", options_list=["--note"], help="Why, for the history.")
        with ArgumentsContext(self, "monitor autoscale") as flags:
            _scaling(flags)
        with ArgumentsContext(self, "monitor metrics") as flags:
            _metrics(flags)
        with ArgumentsContext(self, "configure") as flags:
            flags.argument("defaults", options_list=["--defaults", "-d"], nargs="+", help="name=value pairs to save.")
            flags.argument("list_defaults", options_list=["--list-defaults", "-l"], help="Show what is saved.")
        super().load_arguments(command)


def _group(loader: Loader, noun: str, module: str, table: Any) -> Any:
    return CommandGroup(
        loader, noun, f"{_ROOM}.{module}#{{}}", table_transformer=table, deprecate_info=None, confirmation=None
    )


def _function(verb: str) -> str:
    return "list_" if verb == "list" else verb.replace("-", "_")


def _common(flags: Any) -> None:
    flags.argument("name", options_list=["--name", "-n"], help="The name.")
    flags.argument("file", options_list=["--file", "-f"], help="The YAML document; its paths are relative to it.")
    flags.argument(
        "set_values", options_list=["--set"], nargs="+", action="append", metavar="PATH=VALUE",
        help="Set fields of the document, for example --set instance_count=2 tags.team=risk.",
    )  # fmt: skip
    flags.argument(
        "add_values", options_list=["--add"], nargs="+", action="append", metavar="PATH=VALUE",
        help="Append to lists, or add keys to mappings.",
    )  # fmt: skip
    flags.argument(
        "remove_values", options_list=["--remove"], nargs="+", action="append", metavar="PATH",
        help="Remove fields, keys or list items.",
    )  # fmt: skip
    flags.argument("force_string", help="Take the values of --set and --add as text.")
    flags.argument("prune", help="Delete deployments of the endpoint that are in none of the documents.")
    flags.argument("yes", options_list=["--yes", "-y"], help="Do not ask before deleting.")
    flags.argument("no_wait", help="Return at once; do not wait for the operation to finish.")
    flags.argument("description", help="What it is for.")


def _assets(flags: Any) -> None:
    flags.argument("version", options_list=["--version", "-v"], help="The version; the next number unless given.")
    flags.argument("label", options_list=["--label", "-l"], help="A label in place of a version, such as latest.")
    flags.argument("path", options_list=["--path", "-p"], help="The model's file or folder.")
    flags.argument("model_type", options_list=["--type", "-t"], help="custom_model, mlflow_model or triton_model.")
    flags.argument("include_archived", help="List archived ones too.")
    flags.argument("download_path", options_list=["--download-path", "-p"], help="Folder to download into.")
    flags.argument("image", options_list=["--image", "-i"], help="The base image.")
    flags.argument("conda_file", options_list=["--conda-file", "-c"], help="The conda file with the packages.")
    flags.argument("build_context", options_list=["--build-context", "-b"], help="Folder with a Dockerfile.")
    flags.argument("dockerfile_path", options_list=["--dockerfile-path"], help="The Dockerfile in that folder.")
    flags.argument("os_type", help="linux or windows.")
    flags.argument("follow", options_list=["--follow"], help="Go on printing lines as they come.")


def _online(flags: Any) -> None:
    flags.argument("endpoint_name", options_list=["--endpoint-name", "-e"], help="The endpoint's name.")
    flags.argument("deployment_name", options_list=["--deployment-name", "-d"], help="Call this deployment only.")
    flags.argument("auth_mode", help="key, aml_token or aad_token.")
    flags.argument("traffic", options_list=["--traffic", "-r"], help='The split, for example "blue=90 green=10".')
    flags.argument("mirror_traffic", help='Copy live requests to one deployment, for example "green=10".')
    flags.argument("all_traffic", help="Give the deployment all traffic when it is ready.")
    flags.argument("skip_script_validation", help="Do not check the scoring script's syntax.")
    flags.argument("request_file", options_list=["--request-file", "-r"], help="The request's body; - for stdin.")
    flags.argument(
        "key_type", options_list=["--key-type"], choices=["primary", "secondary"], help="Which key to replace."
    )


def _endpoint_2021(flags: Any) -> None:
    _online(flags)
    _logs(flags)
    flags.argument("deployment", options_list=["--deployment", "-d"], help="One deployment of the endpoint.")
    flags.argument("deployment_file", help="A YAML document of that deployment alone.")
    flags.argument("endpoint_type", options_list=["--type", "-t"], help="online; there are no others here.")


def _metrics(flags: Any) -> None:
    flags.argument("endpoint_name", options_list=["--endpoint-name", "-e"], help="The endpoint.")
    flags.argument(
        "resource", options_list=["--resource"], help="A resource id, <endpoint>, or <endpoint>/<deployment>."
    )
    flags.argument("metrics", options_list=["--metrics"], nargs="+", help="Names of metrics, ten at most.")
    flags.argument("offset", options_list=["--offset"], help="How far back: 15m, 1h, 6h, 24h, 7d or 30d.")


def _scaling(flags: Any) -> None:
    flags.argument("autoscale_name", options_list=["--autoscale-name"], help="The policy's name.")
    flags.argument("endpoint_name", options_list=["--endpoint-name", "-e"], help="The deployment's endpoint.")
    flags.argument("resource", options_list=["--resource"], help="A resource id, or <endpoint>/<deployment>.")
    flags.argument("count", options_list=["--count"], type=int, help="Instances where no rule decides.")
    flags.argument("min_count", options_list=["--min-count"], type=int, help="The fewest instances; 0 lets it sleep.")
    flags.argument("max_count", options_list=["--max-count"], type=int, help="The most instances.")
    flags.argument("idle_timeout", help="Without requests for so long it sleeps, for example 10m.")
    flags.argument("enabled", options_list=["--enabled"], choices=["true", "false"], help="Switch it on or off.")
    flags.argument("disabled", help="Make it, but leave it off.")
    flags.argument(
        "condition", options_list=["--condition"], nargs="+", help='For example "CpuUtilizationPercentage > 70 avg 5m".'
    )
    flags.argument("scale", options_list=["--scale"], nargs="+", help="out 2, in 1, out 50% or to 4.")
    flags.argument("cooldown", options_list=["--cooldown"], type=int, help="Minutes to wait after a change.")
    flags.argument("index", options_list=["--index"], nargs="+", help="Which rules, from 0; * for all.")
    flags.argument("recurrence", options_list=["--recurrence", "-r"], nargs="+", help="For example: week sat sun.")
    flags.argument("timezone", help="By its IANA or Windows name.")
    flags.argument("start", help="From this time of the day, 00:00.")
    flags.argument("end", help="To this time of the day, 23:59.")
    flags.argument("copy_rules", help="Accepted and ignored: rules hold in every profile.")
    flags.argument("profile_name", help="Accepted for the default profile.")
    flags.argument("top", options_list=["--top"], type=int, help="How many.")


def _logs(flags: Any) -> None:
    flags.argument(
        "container", options_list=["--container", "-c"], choices=["inference-server", "storage-initializer"],
        help="The server's log, or that of laying out model and code.",
    )  # fmt: skip
    flags.argument("lines", options_list=["--lines", "-l"], type=int, help="How many of the last lines.")
    flags.argument("instance", options_list=["--instance"], help="One instance only; all of them unless given.")
    flags.argument("follow", options_list=["--follow"], help="Go on printing lines as they come.")
