"""Disks of instances, what their GPUs draw, and the least of a GPU in use. Of old rows the mean stands for the least."""

from django.db import migrations, models
from django.db.models import F

COLUMNS = (
    ("energy_samples", models.IntegerField),
    ("gpu_millijoules", models.BigIntegerField),
    ("peak_spare_gpu", models.IntegerField),
    ("peak_spare_gpu_memory", models.IntegerField),
)


def take_means(apps, schema_editor):
    rows = apps.get_model("endpoints", "InstanceRollup").objects.filter(gpu_samples__gt=0)
    rows.update(
        peak_spare_gpu=10_000 - F("gpu") / F("gpu_samples"),
        peak_spare_gpu_memory=10_000 - F("gpu_memory") / F("gpu_samples"),
    )


class Migration(migrations.Migration):
    dependencies = [("endpoints", "0008_worker_hosts")]

    operations = [
        *(migrations.AddField("instancerollup", name, field(default=0)) for name, field in COLUMNS),
        migrations.RunPython(take_means, migrations.RunPython.noop),
        migrations.CreateModel(
            name="DiskRollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("grain_s", models.SmallIntegerField()),
                ("start_s", models.BigIntegerField()),
                ("endpoint", models.CharField(max_length=32)),
                ("deployment", models.CharField(max_length=32)),
                ("instance", models.CharField(max_length=64)),
                ("disk", models.CharField(max_length=10)),
                ("samples", models.IntegerField()),
                ("space", models.BigIntegerField()),
                ("peak_space", models.IntegerField()),
                ("peak_spare_space", models.IntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["grain_s", "start_s"], name="disk_rollup_slot")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grain_s", "endpoint", "start_s", "deployment", "instance", "disk"),
                        name="disk_rollup_unique",
                    )
                ],
            },
        ),
    ]
