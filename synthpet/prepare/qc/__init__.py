"""Quality control of prepared people: numbers, flags, pictures, pages."""
