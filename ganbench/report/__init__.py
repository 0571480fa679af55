"""From collected results to what people read: tables, figures and one HTML page. Never touches torch."""
