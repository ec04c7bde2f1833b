"""One form a step. Each validates where it stands and answers with a value of `studio.wizards.answers`."""
