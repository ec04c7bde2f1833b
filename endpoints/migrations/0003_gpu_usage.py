"""GPUs in what instances used, and the least in use beside the most. Of old rows the mean stands for the least."""

from django.db import migrations, models
from django.db.models import F

COLUMNS = (
    ("gpu_samples", models.IntegerField),
    ("gpu", models.BigIntegerField),
    ("gpu_memory", models.BigIntegerField),
    ("peak_spare_cpu", models.IntegerField),
    ("peak_spare_memory", models.IntegerField),
    ("peak_gpu", models.IntegerField),
    ("peak_gpu_memory", models.IntegerField),
)


def take_means(apps, schema_editor):
    rows = apps.get_model("endpoints", "InstanceRollup").objects.filter(samples__gt=0)
    rows.update(
        peak_spare_cpu=10_000 - F("cpu") / F("samples"), peak_spare_memory=10_000 - F("memory") / F("samples")
    )


class Migration(migrations.Migration):
    dependencies = [("endpoints", "0002_studio_settings")]

    operations = [
        *(migrations.AddField("instancerollup", name, field(default=0)) for name, field in COLUMNS),
        migrations.RunPython(take_means, migrations.RunPython.noop),
    ]
