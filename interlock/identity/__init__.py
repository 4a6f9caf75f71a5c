"""Who calls: people and their logins, projects and their API keys, and what each may do."""
