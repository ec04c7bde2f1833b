"""Who may do what: assignments, groups, roles against actions, and why a person may do a thing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors
from endpoints.spec.errors import Conflict, Forbidden, Invalid
from studio.access import actions, assignments, custom_roles
from studio.access.models import Group, Role, User
from studio.access.people import people_for
from studio.access.policy import grants_of, require
from studio.forms.access import AssignForm, GroupForm, RoleForm, WhyForm
from studio.forms.fields import add_domain_errors
from studio.pages.answers import Request, form_page, go, page

BACK = "access:overview"


@require_GET
def overview(request: Request) -> HttpResponse:
    user = request.user
    context = {
        "people": people_for(user),
        "groups": assignments.groups_for(user),
        "assignments": assignments.assignments_for(user),
        "matrix": assignments.matrix(),
        "actions": [(action, _short(action)) for action in actions.ALL],
        "may_write": grants_of(user).allows(actions.ROLES_WRITE),
        "why_form": WhyForm(endpoints=_endpoint_names(user)),
    }
    return page(request, "pages/access/overview.html", context)


def _short(action: str) -> str:
    """`onlineEndpoints/listKeys` of the whole action string."""
    return action.partition("/")[2].removeprefix("workspaces/").removesuffix("/action")


def _endpoint_names(user: User) -> list[str]:
    try:
        return list(selectors.endpoints_for(user).values_list("name", flat=True))
    except Forbidden:
        return []


@require_GET
def why(request: Request) -> HttpResponse:
    """Why a person may do something, or why not."""
    require(request.user, actions.ROLES_READ)
    form = WhyForm(request.GET or None, endpoints=_endpoint_names(request.user))
    context: dict[str, object] = {"why_form": form}
    if form.is_valid():
        asked = form.cleaned_data
        reasons = assignments.explain(request.user, **asked)
        context |= {"asked": asked, "reasons": reasons, "may": any(one.is_allowing for one in reasons)}
    return page(request, "pages/access/why.html", context, fragment="why")


@require_http_methods(["GET", "POST"])
def role_assign(request: Request) -> HttpResponse:
    require(request.user, actions.ROLES_WRITE)
    form = AssignForm(request.POST or None, endpoints=_endpoint_names(request.user))
    if form.is_valid():
        asked = form.cleaned_data
        assignments.assign_role(
            request.user, role=asked["role"].name, to=asked["person"] or asked["group"], endpoint=asked["endpoint"]
        )
        return go(request, reverse(BACK))
    return _form(request, "Give a role", "Give", form)


@require_POST
def role_unassign(request: Request, assignment_id: int) -> HttpResponse:
    assignments.unassign_role(request.user, assignment_id=assignment_id)
    return go(request, reverse(BACK))


@require_http_methods(["GET", "POST"])
def group_save(request: Request, group_id: int | None = None) -> HttpResponse:
    require(request.user, actions.ROLES_WRITE)
    group = assignments.groups_for(request.user).filter(pk=group_id).first() if group_id else None
    form = GroupForm(request.POST if request.method == "POST" else None, initial=_group_values(group))
    if form.is_valid():
        try:
            assignments.save_group(request.user, group_id=group_id, **form.cleaned_data)
        except Conflict as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse(BACK))
    return _form(request, f"Edit {group.name}" if group else "Make a group", "Save", form)


def _group_values(group: Group | None) -> dict[str, object]:
    return {"name": group.name, "people": list(group.user_set.all())} if group else {}


@require_POST
def group_delete(request: Request, group_id: int) -> HttpResponse:
    assignments.delete_group(request.user, group_id=group_id)
    return go(request, reverse(BACK))


@require_http_methods(["GET", "POST"])
def role_save(request: Request, role_id: int | None = None) -> HttpResponse:
    require(request.user, actions.ROLES_WRITE)
    row = Role.objects.filter(pk=role_id).first() if role_id else None
    document = custom_roles.document_of(row) if row else custom_roles.EXAMPLE
    form = RoleForm(request.POST) if request.method == "POST" else RoleForm.showing(document)
    if form.is_valid():
        try:
            custom_roles.save_role(request.user, text=form.cleaned_data["document"], role_id=role_id)
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse(BACK))
    return _form(request, f"Edit {row.name}" if row else "Make a role", "Save", form)


@require_POST
def role_delete(request: Request, role_id: int) -> HttpResponse:
    custom_roles.delete_role(request.user, role_id=role_id)
    return go(request, reverse(BACK))


def _form(request: HttpRequest, title: str, submit: str, form: AssignForm | GroupForm | RoleForm) -> HttpResponse:
    context = {"title": title, "submit": submit, "back": reverse(BACK)}
    return form_page(request, "pages/form.html", context, form=form)
