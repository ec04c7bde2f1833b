"""`slipway model …` and `slipway environment …`"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from endpoints.assets import AssetStore
from tests.cli.conftest import Ran, Studio

Slipway = Callable[..., Ran]
MODEL = {"name": "my-model", "version": "1", "type": "custom_model"}


def accept_upload(studio: Studio, root: Path) -> None:
    studio.on("POST", "uploads", {"id": "u"})
    studio.on("PUT", "uploads/u/files", {})
    digest = AssetStore(root.parent / "store").add_tree(root).digest
    studio.on("POST", "uploads/u/complete", {"tree_digest": digest})


def test_a_model_is_uploaded_from_beside_its_document(studio: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "m.pkl").write_text("1234")
    (tmp_path / "sub" / "model.yml").write_text("name: my-model\npath: ./m.pkl\n")
    accept_upload(studio, tmp_path / "sub" / "m.pkl")
    studio.on("POST", "models", MODEL)
    ran = slipway("model", "create", "-f", "sub/model.yml", "-v", "1", "--set", "tags.team=risk")
    assert (ran.code, ran.json) == (0, MODEL)
    sent = studio.sent("POST", "models")[0].json
    assert (sent["path"], sent["version"], sent["tags"]) == ("upload:u", "1", {"team": "risk"})
    assert "Uploaded m.pkl  4 B" in ran.err


def test_a_model_needs_no_document(studio: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "m.pkl").write_text("1234")
    accept_upload(studio, tmp_path / "m.pkl")
    studio.on("POST", "models", MODEL)
    assert slipway("model", "create", "-n", "my-model", "--path", "m.pkl", "--type", "custom_model").code == 0


def test_show_takes_the_latest_unless_told_otherwise(studio: Studio, slipway: Slipway):
    studio.on("GET", "models/my-model/versions/latest", MODEL)
    studio.on("GET", "models/my-model/versions/7", {**MODEL, "version": "7"})
    assert slipway("model", "show", "-n", "my-model").json["version"] == "1"
    assert slipway("model", "show", "-n", "my-model", "-v", "7").json["version"] == "7"


def test_lists_are_of_models_or_of_versions(studio: Studio, slipway: Slipway):
    studio.on("GET", "models", [MODEL])
    studio.on("GET", "models/my-model/versions", [MODEL, MODEL])
    assert len(slipway("model", "list").json) == 1
    assert len(slipway("model", "list", "--name", "my-model").json) == 2
    assert slipway("model", "list", "-o", "table").out.splitlines()[0].split() == ["Name", "Version", "Type"]


def test_a_long_list_is_fetched_page_by_page(studio: Studio, slipway: Slipway):
    following = {"Link": f'<{studio.url}/api/v1/models?limit=1000&offset=1000>; rel="next"'}
    studio.on_call("GET", "models", lambda asked: (200, "application/json", b'[{"name": "a"}]', following))
    studio.on_call("GET", "models", lambda asked: (200, "application/json", b'[{"name": "b"}]'))
    assert [model["name"] for model in slipway("model", "list").json] == ["a", "b"]
    assert studio.asked[1].query == {"limit": "1000", "offset": "1000"}


def test_archive_and_restore_take_one_version_or_all(studio: Studio, slipway: Slipway):
    studio.on("POST", "models/my-model/archive", {})
    studio.on("POST", "models/my-model/versions/1/restore", MODEL)
    assert slipway("model", "archive", "-n", "my-model").code == 0
    assert slipway("model", "restore", "-n", "my-model", "-v", "1").code == 0


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, "content")
    return data.getvalue()


def test_a_download_lands_in_a_folder_of_the_models_name(studio: Studio, slipway: Slipway, tmp_path: Path):
    studio.on_bytes("GET", "models/my-model/versions/latest/download", archive("model/a.txt", "model/sub/b.txt"))
    ran = slipway("model", "download", "-n", "my-model", "--download-path", "out")
    assert ran.json["file_count"] == 2
    assert (tmp_path / "out" / "my-model" / "model" / "sub" / "b.txt").read_text() == "content"


def test_a_download_never_leads_out_of_its_folder(studio: Studio, slipway: Slipway, tmp_path: Path):
    studio.on_bytes("GET", "models/my-model/versions/latest/download", archive("../../evil.txt"))
    assert slipway("model", "download", "-n", "my-model", "-p", "out").code == 1
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_download_overwrites_nothing(studio: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "precious").write_text("")
    assert slipway("model", "download", "-n", "my-model").code == 2


def test_an_environment_sends_the_text_of_its_conda_file(studio: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "conda.yml").write_text("# why\ndependencies: []\n")
    (tmp_path / "env" / "env.yml").write_text("name: my-env\nimage: base\nconda_file: conda.yml\n")
    studio.on("POST", "environments", {"name": "my-env", "version": "1"})
    assert slipway("environment", "create", "-f", "env/env.yml").code == 0
    sent = studio.sent("POST", "environments")[0].json
    assert sent["conda_file"] == "# why\ndependencies: []\n"


def test_an_environments_build_shows_its_log(studio: Studio, slipway: Slipway):
    address = "environments/my-env/versions/2"
    studio.on("POST", f"{address}/build", {})
    studio.on_text("GET", f"{address}/build-log", "Resolved 9 packages\n")
    studio.on("GET", address, {"name": "my-env", "version": "2"})
    ran = slipway("environment", "build", "-n", "my-env", "-v", "2")
    assert (ran.json["version"], ran.err) == ("2", "Resolved 9 packages\n")
