"""The pages of the dashboard: HTML made of a view. Numbers come from the view, their words from `dashboard.formats`."""
