"""The hosts whose workers run processes, and which of them each deployment belongs to."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("endpoints", "0007_scaling"),
    ]

    operations = [
        migrations.CreateModel(
            name='WorkerHost',
            fields=[
                ('name', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('seen_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='onlinedeployment',
            name='host',
            field=models.CharField(blank=True, max_length=255),
        ),
    ]
