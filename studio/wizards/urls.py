"""Addresses of the deployment wizard, below `/endpoints/deploy/`."""

from __future__ import annotations

from django.urls import path

from studio.wizards import views

app_name = "deploy"

urlpatterns = [
    path("", views.start, name="start"),
    path("new/", views.step, name="new"),
    path("quota/", views.quota, name="quota"),
    path("<uuid:draft>/discard/", views.discard, name="discard"),
    path("<uuid:draft>/<slug:step>/", views.step, name="step"),
]
