"""People, groups, roles: invited, shut out, given and taken; and why somebody may do a thing."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from endpoints.models import OnlineEndpoint
from studio.access import people
from studio.access.models import AuditRecord, Group, Invitation, Role, RoleAssignment, User
from studio.access.policy import is_allowed
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting

WRITE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
ROLE = {"Name": "Shifter", "Actions": ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*"]}


def invited(olivia: User, name: str = "nina") -> str:
    """The path of the link shown for a new person."""
    answer = visiting(olivia).post(reverse("access:invite"), {"username": name, "email": ""})
    return re.search(r"/invitation/[\w-]+/", answer.text)[0]  # type: ignore[index]


def test_a_link_lets_somebody_choose_a_password_once(olivia: User) -> None:
    link = invited(olivia)
    guest = Client()
    assert "Welcome, nina" in guest.get(link).text
    passwords = {"password": "a long enough secret", "again": "a long enough secret"}
    assert guest.post(link, passwords).headers["Location"] == "/"
    assert guest.get("/").status_code == 200
    assert Client().post(link, passwords).status_code == 404
    assert User.objects.get(username="nina").check_password("a long enough secret")


@pytest.mark.parametrize(("password", "again"), [("short", "short"), ("a long enough secret", "another")])
def test_a_bad_password_leaves_the_link_as_it_is(password: str, again: str, olivia: User) -> None:
    link = invited(olivia)
    assert Client().post(link, {"password": password, "again": again}).status_code == 422
    assert Client().get(link).status_code == 200


def test_a_link_expires_and_a_newer_one_replaces_it(olivia: User) -> None:
    link = invited(olivia)
    answer = visiting(olivia).post(reverse("access:invite-again", args=["nina"]))
    assert Client().get(link).status_code == 404
    newer = re.search(r"/invitation/[\w-]+/", answer.text)[0]  # type: ignore[index]
    assert Client().get(newer).status_code == 200
    Invitation.objects.update(expires_at=Invitation.objects.get().expires_at - timedelta(days=8))
    assert Client().get(newer).status_code == 404


def test_a_link_is_never_made_for_an_account_that_has_a_password(olivia: User, rafael: User) -> None:
    assert visiting(olivia).post(reverse("access:invite-again", args=["rafael"])).status_code == 409
    assert not Invitation.objects.exists()


def test_a_first_password_needs_no_link(olivia: User) -> None:
    form = {"username": "nina", "password": "a long enough secret"}
    assert visiting(olivia).post(reverse("access:invite"), form).headers["Location"] == "/access/"
    assert Client().login(username="nina", password="a long enough secret")
    assert "a long enough secret" not in str(list(AuditRecord.objects.values()))


def test_bad_names_are_refused_at_their_field(olivia: User, rafael: User) -> None:
    for name, words in (("RAFAEL", "already"), ("a b", "valid username"), ("", "required")):
        answer = visiting(olivia).post(reverse("access:invite"), {"username": name, "email": ""})
        assert answer.status_code == 422
        assert words in answer.text


def test_whoever_is_deactivated_is_out_at_once(olivia: User, rafael: User) -> None:
    client = visiting(rafael)
    assert client.get("/endpoints/").status_code == 200
    visiting(olivia).post(reverse("access:deactivate", args=["rafael"]))
    assert client.get("/endpoints/").status_code == 302
    visiting(olivia).post(reverse("access:activate", args=["rafael"]))
    rafael.refresh_from_db()
    assert rafael.is_active and is_allowed(rafael, WRITE.replace("write", "read"))


def test_nobody_shuts_out_themselves_or_the_administrator(olivia: User) -> None:
    boss = world.person("boris")
    assign("Owner", boss)
    assert visiting(olivia).post(reverse("access:deactivate", args=["olivia"])).status_code == 409
    assert visiting(boss).post(reverse("access:deactivate", args=["olivia"])).status_code == 409
    assert User.objects.get(username="olivia").is_active


def test_the_last_owner_keeps_the_role(db: None) -> None:
    boss = world.person("boris")
    row = assign("Owner", boss)
    assert visiting(boss).post(reverse("access:unassign", args=[row.pk])).status_code == 409
    assert RoleAssignment.objects.filter(pk=row.pk).exists()


def test_a_group_gives_its_people_its_roles_on_one_endpoint(olivia: User, stefan: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    client.post(reverse("access:group-create"), {"name": "Risk", "people": [stefan.pk]})
    group = Group.objects.get(name="Risk")
    form = {"role": "Contributor", "group": group.pk, "endpoint": "diabetes-risk"}
    client.post(reverse("access:assign"), form)
    assert is_allowed(stefan, WRITE, "diabetes-risk") and not is_allowed(stefan, WRITE)
    query = {"person": "stefan", "action": WRITE, "endpoint": "diabetes-risk"}
    why = client.get(reverse("access:why"), query).text
    assert "stefan may." in why and "Contributor" in why and "held through the group Risk on diabetes-risk" in why
    client.post(reverse("access:group-delete", args=[group.pk]))
    assert not is_allowed(stefan, WRITE, "diabetes-risk")


def test_why_not_names_what_took_the_action_out(olivia: User, stefan: User) -> None:
    assign("Contributor", stefan)
    query = {"person": "stefan", "action": "Microsoft.Authorization/roleAssignments/write", "endpoint": ""}
    text = visiting(olivia).get(reverse("access:why"), query).text
    assert "stefan may not." in text and "taken out by <code>Microsoft.Authorization/*/write</code>" in text


def test_one_of_person_and_group_is_chosen(olivia: User) -> None:
    answer = visiting(olivia).post(reverse("access:assign"), {"role": "Reader", "endpoint": ""})
    assert answer.status_code == 422
    assert "one of both" in answer.text


def test_a_custom_role_is_made_held_kept_and_deleted(olivia: User, stefan: User) -> None:
    client = visiting(olivia)
    client.post(reverse("access:role-create"), {"document": json.dumps(ROLE)})
    role = Role.objects.get(name="Shifter")
    row = assign("Shifter", stefan)
    assert is_allowed(stefan, WRITE)
    client.post(reverse("access:role-edit", args=[role.pk]), {"document": json.dumps({**ROLE, "NotActions": [WRITE]})})
    assert not is_allowed(stefan, WRITE)
    assert client.post(reverse("access:role-delete", args=[role.pk])).status_code == 409
    client.post(reverse("access:unassign", args=[row.pk]))
    client.post(reverse("access:role-delete", args=[role.pk]))
    assert not Role.objects.filter(name="Shifter").exists()


def test_a_role_as_azure_prints_it_is_read(olivia: User) -> None:
    permissions = [{"actions": ROLE["Actions"], "notActions": [], "dataActions": [], "notDataActions": []}]
    azure = {"id": "/x", "properties": {"roleName": "Shifter", "assignableScopes": ["/"], "permissions": permissions}}
    visiting(olivia).post(reverse("access:role-create"), {"document": json.dumps(azure)})
    assert Role.objects.get(name="Shifter").actions == ROLE["Actions"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ('{"Name": "x", "Actions": []}', "at least one action"),
        ('{"Name": "", "Actions": ["*"]}', "a name of 1 to 64"),
        ('{"Name": "x", "Action": ["*"]}', "did you mean Actions"),
        ('{"Name": "x", "Actions": ["no such thing"]}', "no action string"),
        ('{"Name": "x", "Actions": ["Microsoft.Storage/read"]}', "would allow nothing here"),
        ('{"Name": "x", "Actions": ["*"], "NotActions": ["*"]}', "would allow nothing here"),
        ('{"Name": "x", "Actions": ["*"], "DataActions": ["*"]}', "no data actions"),
        (json.dumps({"Name": "x", "Actions": ["*", WRITE + "s"]}), "did you mean"),
        ('{"Name": "owner", "Actions": ["*"]}', "already"),
    ],
)
def test_a_role_that_cannot_be_is_refused_with_its_reason(document: str, words: str, olivia: User) -> None:
    answer = visiting(olivia).post(reverse("access:role-create"), {"document": document})
    assert answer.status_code == 422
    assert words in answer.text


def test_built_in_roles_stay_as_they_are(olivia: User) -> None:
    reader = Role.objects.get(name="Reader")
    answer = visiting(olivia).post(reverse("access:role-edit", args=[reader.pk]), {"document": json.dumps(ROLE)})
    assert answer.status_code == 422
    assert "comes with the studio" in answer.text
    assert visiting(olivia).post(reverse("access:role-delete", args=[reader.pk])).status_code == 409


def test_a_reader_sees_who_may_what_and_changes_nothing(rafael: User, olivia: User) -> None:
    page = visiting(rafael).get(reverse("access:overview"))
    assert page.status_code == 200
    assert reverse("access:invite") not in page.text and "Remove</button>" not in page.text
    row = RoleAssignment.objects.get(user=rafael)
    for name, args in (
        ("access:activate", ["olivia"]),
        ("access:deactivate", ["olivia"]),
        ("access:invite-again", ["olivia"]),
        ("access:unassign", [row.pk]),
        ("access:role-delete", [1]),
        ("access:group-delete", [1]),
        ("access:role-create", []),
        ("access:group-create", []),
        ("access:assign", []),
        ("access:invite", []),
    ):
        assert visiting(rafael).post(reverse(name, args=args)).status_code == 403, name


def test_the_side_bar_offers_access_to_those_who_may_see_it(rafael: User, stefan: User) -> None:
    assert reverse("access:overview") in visiting(rafael).get("/").text
    assert reverse("access:overview") not in visiting(stefan).get("/").text


def test_only_a_digest_of_the_link_is_kept(olivia: User) -> None:
    _, secret = people.invite(olivia, username="nina")
    assert secret not in str(list(Invitation.objects.values()))


@pytest.mark.parametrize("path", ["/access/", "/quota/", "/instance-types/", "/endpoints/diabetes-risk/"])
def test_a_dialog_and_the_page_below_it_share_no_id(path: str, olivia: User, risk: OnlineEndpoint) -> None:
    visitor = visiting(olivia)
    below = visitor.get(path).text
    dialogs = re.findall(r'href="([^"]+)" data-dialog', below)
    assert dialogs
    for dialog in dialogs:
        ids = re.findall(r'\bid="([^"]+)"', visitor.get(dialog, headers={"HX-Request": "true"}).text)
        assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', below)), dialog
