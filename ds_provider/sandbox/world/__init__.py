"""The world that the sandbox shows: a démarche, its dossiers and their life cycles."""
