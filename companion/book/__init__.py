"""What the book's chapters are written with."""
