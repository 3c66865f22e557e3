"""What Barograph is measured against."""
