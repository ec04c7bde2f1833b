"""The user's script: found, imported, its init() called; every way this fails is told precisely.

Knows nothing of HTTP. The script runs under the name `entry_module`, as scripts have always been run.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import logging
import os
import pickle
import sys
import traceback
from types import ModuleType
from typing import Any, Callable, Iterator, Optional, Tuple

from .failure import FUNCTION_NOT_FOUND, IMPORT_ERROR, INIT_FAILED, BootFailure

TREE_LINES = 200

# Entry scripts of the server's own, for models that need none of the user's.
BUILT_IN = {"builtin:mlflow": "mlflow_model"}

# Modules whose package is called otherwise.
PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "inference_schema": "inference-schema",
    "lightgbm": "lightgbm",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

logger = logging.getLogger("azmlinfsrv.user_script")


class Script:
    """A loaded script. `run` may be that of a driver's inner module; `run_batch` is None unless defined."""

    def __init__(self, *, path: str, init: Callable[[], Any], run: Callable[..., Any], module: ModuleType) -> None:
        self.path = path
        self.init = init
        self.run = run
        self.module = module
        self.run_batch: Optional[Callable[..., Any]] = getattr(module, "run_batch", None)


def load(*, app_root: str, entry_script: str, source_dir: str = "") -> Script:
    """Import the script. Raises BootFailure."""
    if entry_script in BUILT_IN:
        return _built_in(BUILT_IN[entry_script])
    sys.path.append(app_root)
    if source_dir:
        sys.path.append(os.path.join(app_root, source_dir))
    path = _find(app_root, entry_script)
    try:
        module = _import(path, entry_script)
    except BaseException as error:  # sys.exit() at import is a failure like any other
        logger.error("%s", traceback.format_exc())
        raise _import_failure(error, path, app_root) from error
    for name in ("init", "run"):
        if not callable(getattr(module, name, None)):
            raise BootFailure(
                FUNCTION_NOT_FOUND,
                "User script at %s does not have a %s() function defined." % (module.__file__, name),
                advice="Define %s in the scoring script." % ("init()" if name == "init" else "run(raw_data)"),
                file=_short(str(module.__file__), app_root),
            )
    driver = getattr(module, "driver_module", None)
    run = module.run
    if isinstance(driver, ModuleType) and hasattr(driver, "run"):
        run = driver.run
        logger.info("Found driver script at %s and the score script at %s", module.__file__, driver.__file__)
    else:
        logger.info("Found user script at %s", module.__file__)
    return Script(path=str(module.__file__), init=module.init, run=run, module=module)


def call_init(script: Script, *, app_root: str, model_dir: str, await_: Callable[[Any], Any]) -> None:
    """Call init(), awaiting it when it is a coroutine. Raises BootFailure."""
    logger.info("Invoking user's init function")
    try:
        result = script.init()
        if inspect.isawaitable(result):
            await_(result)
    except BaseException as error:
        text = traceback.format_exc()
        logger.error("User's init function failed")
        logger.error("Encountered Exception: %s", text)
        _log_model_tree(model_dir)
        if isinstance(error, BootFailure):  # a script of our own has said it already
            raise
        raise _init_failure(error, script.path, app_root, text) from error
    logger.info("Users's init has completed successfully")


def _built_in(name: str) -> Script:
    module: Any = importlib.import_module("." + name, __package__)
    return Script(path=str(module.__file__), init=module.init, run=module.run, module=module)


def _find(app_root: str, entry_script: str) -> str:
    if not entry_script:
        return ""
    path = os.path.join(app_root, entry_script)
    if os.path.isfile(path):
        return path
    if not os.path.isdir(app_root):
        detail = "the folder %s does not exist" % app_root
    else:
        names = sorted(os.path.relpath(found, app_root) for found in itertools.islice(_python_files(app_root), 20))
        detail = "the code folder holds %s" % (", ".join(names) if names else "no Python file")
    raise BootFailure(
        IMPORT_ERROR,
        "The scoring script %s was not found; %s." % (entry_script, detail),
        advice="Set scoring_script to the script's path within the code folder.",
        file=entry_script,
    )


def _python_files(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(parent, name)


def _import(path: str, entry_script: str) -> ModuleType:
    if not entry_script:
        return importlib.import_module("main")
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise ImportError("%s is not a Python file" % path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _import_failure(error: BaseException, path: str, app_root: str) -> BootFailure:
    text = traceback.format_exc()
    file, line = _place(error, app_root)
    if isinstance(error, SyntaxError):
        file, line = _short(error.filename or path, app_root), error.lineno or 0
        source = (error.text or "").strip()
        message = "Syntax error in %s, line %d: %s%s" % (file, line, error.msg, " (%s)" % source if source else "")
        return BootFailure(IMPORT_ERROR, message, advice="Correct that line.", file=file, line=line, log_tail=text)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name, file, line, text, has_script=bool(path))
    if isinstance(error, ImportError):
        message = "An import of the scoring script failed in %s, line %d: %s" % (file, line, error)
        advice = "The installed version of the package does not offer that name; pin a version that does."
    elif isinstance(error, SystemExit):
        message = "The scoring script ended the process while it was imported (%s, line %d)." % (file, line)
        advice = "Remove sys.exit() from the script's top level, or what calls it."
    else:
        message = "The scoring script failed while it was imported (%s, line %d): %s" % (file, line, _describe(error))
        advice = "See the traceback in the log."
    return BootFailure(IMPORT_ERROR, message, advice=advice, file=file, line=line, log_tail=text)


def _missing_module(name: str, file: str, line: int, text: str, *, has_script: bool) -> BootFailure:
    if name == "main" and not has_script:
        return BootFailure(
            IMPORT_ERROR,
            "No score script found. Expected score script main.py.",
            advice="Name the script (scoring_script, or --entry_script).",
            log_tail=text,
        )
    top = name.split(".")[0]
    package = PACKAGES.get(top, top.replace("_", "-"))
    return BootFailure(
        IMPORT_ERROR,
        "No module named '%s' (imported in %s, line %d)." % (name, file, line),
        advice="Add %s to the environment's dependencies; if it is a module of your own, put it into the code folder."
        % package,
        file=file,
        line=line,
        log_tail=text,
    )


def _init_failure(error: BaseException, path: str, app_root: str, text: str) -> BootFailure:
    file, line = _place(error, app_root, fallback=path)
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = _missing_module(error.name, file, line, text, has_script=True)
        return BootFailure(
            INIT_FAILED, "init() failed: " + missing.message, advice=missing.advice, file=file, line=line, log_tail=text
        )
    message = "init() failed in %s, line %d: %s" % (file, line, _describe(error))
    if isinstance(error, SystemExit):
        message = "init() ended the process in %s, line %d: %s" % (file, line, _describe(error))
    return BootFailure(INIT_FAILED, message, advice=_advice(error), file=file, line=line, log_tail=text)


def _advice(error: BaseException) -> str:
    """What helps against an exception in init(), where its kind tells."""
    if isinstance(error, SystemExit):
        return "Remove sys.exit() from init(), or what calls it; raise an exception that says what is wrong."
    if isinstance(error, FileNotFoundError):
        return "Compare the path with the model's files, which lie below AZUREML_MODEL_DIR under their own name."
    if isinstance(error, MemoryError):
        return "Choose an instance type with more memory, or load less of the model at once."
    if isinstance(error, (EOFError, pickle.UnpicklingError)):
        return (
            "The file is no whole pickle: check that it was saved and uploaded completely, with the same library "
            "(pickle, joblib, ...) that reads it."
        )
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str) and error.args[0].isupper():
        return "Set %s in the deployment's environment_variables." % error.args[0]
    return "See the traceback in the log."


def _describe(error: BaseException) -> str:
    detail = str(error)
    return "%s: %s" % (type(error).__name__, detail) if detail else type(error).__name__


def _place(error: BaseException, app_root: str, fallback: str = "") -> Tuple[str, int]:
    """The innermost line of the user's own files in the traceback."""
    own = os.path.join(os.path.realpath(app_root), "")
    found: Optional[Tuple[str, int]] = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("<"):  # frozen into the interpreter: no file
            continue
        name = os.path.realpath(frame.f_code.co_filename)
        if (name.startswith(own) and "site-packages" not in name) or name == os.path.realpath(fallback or "."):
            found = (_short(frame.f_code.co_filename, app_root), line)
    return found or (_short(fallback, app_root), 0)


def _short(path: str, app_root: str) -> str:
    if not path:
        return ""
    relative = os.path.relpath(os.path.realpath(path), os.path.realpath(app_root))
    return path if relative.startswith("..") else relative


def _log_model_tree(model_dir: str) -> None:
    if not model_dir or not os.path.exists(model_dir):
        return
    logger.info("Model Directory Contents:")
    tree = _tree(os.path.normpath(model_dir), 0)
    for line in itertools.islice(tree, TREE_LINES):
        logger.info("%s", line)
    if next(tree, None) is not None:
        logger.info("Output Truncated. First %d lines shown.", TREE_LINES)


def _tree(path: str, depth: int) -> Iterator[str]:
    indent = "    " * depth
    name = os.path.basename(path)
    if not os.path.isdir(path):
        yield indent + name
        return
    yield indent + name + os.sep
    for child in sorted(os.listdir(path)):
        yield from _tree(os.path.join(path, child), depth + 1)
