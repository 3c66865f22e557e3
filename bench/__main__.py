"""`python -m bench` lists the measurements, `python -m bench NAME …` runs one, `all` every one."""

import ast
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> dict[str, str]:
    """Every measurement and the first line of what it says of itself."""
    found = {}
    for path in sorted(HERE.glob("[a-z]*.py")):
        source = path.read_text()
        if '__name__ == "__main__"' in source and path.stem != "__main__":
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


def main() -> None:
    known = names()
    name, *rest = sys.argv[1:] or [""]
    if name in known or name == "all":
        for one in known if name == "all" else [name]:
            print(f"== {one}", flush=True)
            sys.argv = [f"bench {one}", *rest]
            runpy.run_module(f"bench.{one}", run_name="__main__")
        return
    print("python -m bench NAME [--help], where NAME is all or one of\n")
    for one, about in known.items():
        print(f"  {one:12} {about}")
    if name:
        sys.exit(f"\nthere is no measurement {name!r}")


main()
