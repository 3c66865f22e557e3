"""`python -m barograph`."""

from barograph.cli import main

if __name__ == "__main__":  # a worker's process imports this as well
    main()
