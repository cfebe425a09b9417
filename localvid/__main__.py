"""`python -m localvid`: the command line."""

from localvid.cli import main

if __name__ == "__main__":
    main()
