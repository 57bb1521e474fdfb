"""Pages per CPU second of a broad crawl: many hosts, TLS, gzip.

    python -m tests.benchmarks.broad                       # 200 hosts, 3,000 pages
    python -m tests.benchmarks.broad --rounds 5 -- --no-images
    python -m tests.benchmarks.broad --program ../old      # another checkout beside it

nginx serves all hosts from one port, compressed in advance, with one certificate. Each
page is of 66 kB: paragraphs, and 90 links, a third of them to other hosts. What follows
`--` goes to `orbweb crawl`. CPU time is that of the whole process tree of the crawl.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import trustme

from tests.helpers import nginx
from tests.helpers.paths import ROOT

LINKS = 90
PAGE_BYTES = 66_000
_DIRECTIVES = """
        ssl_certificate {home}/server.pem;
        ssl_certificate_key {home}/server.pem;
        gzip_static on;
"""


def host(number: int) -> str:
    return f"www.host-{number}.test"


def page(number: int, name: int, hosts: int, names: int) -> str:
    chance = random.Random(number * names + name)
    words = ["".join(chance.choices("etaoinshrdlu", k=n % 9 + 2)) for n in range(700)]
    parts = ["<!doctype html><html lang=en><meta charset=utf-8>"]
    parts.append(f"<title>Page {name} of host {number}</title><ul>")
    for link in range(LINKS):
        if link % 3:
            target = f"/{(name + link) % names}.html"
        else:
            other = f"https://{host(chance.randrange(hosts))}:{{port}}"
            target = f"{other}/{chance.randrange(names)}.html"
        text = " ".join(chance.choices(words, k=3))
        parts.append(f'<li class="entry"><a href="{target}">{text}</a></li>')
    parts.append("</ul>")
    size = sum(map(len, parts))
    while size < PAGE_BYTES:
        text = " ".join(chance.choices(words, k=60))
        parts.append(f"<p class='text'><em>{text[:20]}</em>{text[20:]}</p>")
        size += len(parts[-1])
    return "\n".join(parts)


def write_site(root: Path, port: int, hosts: int, names: int) -> None:
    for number in range(hosts):
        folder = root / host(number)
        folder.mkdir()
        for name in range(names):
            text = page(number, name, hosts, names).replace("{port}", str(port))
            (folder / f"{name}.html").touch()  # nginx's gzip_static wants only the .gz
            packed = gzip.compress(text.encode(), 6)
            (folder / f"{name}.html.gz").write_bytes(packed)


def crawl(program: Path, port: int, home: Path, options: list[str]) -> float:
    """CPU seconds of a crawl."""
    with tempfile.TemporaryDirectory(dir=home) as out:
        command = [
            sys.executable,
            "cli.py",
            "crawl",
            f"https://{host(0)}:{port}/0.html",
        ]
        command += ["-d", f"{out}/out", "-q", "-w", "0", "-c", "64", "--per-host", "4"]
        command += ["--resolve", f"*:{port}:127.0.0.1", "--span-hosts"]
        command += ["--cacert", str(home / "ca.pem"), *options]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=program, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return user + system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", type=Path, help="another checkout to compare with")
    parser.add_argument("options", nargs="*", help="for `orbweb crawl`, after --")
    chosen = parser.parse_args()
    if reason := nginx.missing():
        sys.exit(reason)
    programs = [ROOT, *([chosen.program.absolute()] if chosen.program else [])]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="orbweb-broad-") as name:
        home = Path(name)
        home.chmod(0o755)  # nginx's worker is another user if we are root
        authority = trustme.CA()
        authority.cert_pem.write_to_path(home / "ca.pem")
        certificate = authority.issue_cert(*map(host, range(chosen.hosts)))
        certificate.private_key_and_cert_chain_pem.write_to_path(home / "server.pem")
        root = home / "site"
        root.mkdir()
        names = chosen.pages // chosen.hosts
        with nginx.serve(
            root / "$host", "ssl", _DIRECTIVES.format(home=home)
        ) as server:
            write_site(root, server.port, chosen.hosts, names)
            spent: dict[Path, list[float]] = {program: [] for program in programs}
            for _ in range(chosen.rounds):
                for program in programs:
                    cpu = crawl(program, server.port, home, chosen.options)
                    spent[program].append(cpu)
    fetched = sum(hit.status == 200 for hit in server.hits)
    rounds = chosen.rounds * len(programs)
    print(f"{fetched / rounds:,.0f} pages a crawl, of {names * chosen.hosts:,}")
    for program, seconds in spent.items():
        middle = statistics.median(seconds)
        rate = fetched / rounds / middle
        print(f"{program}: {middle:.2f} s CPU, {rate:.0f} pages a CPU second")


if __name__ == "__main__":
    main()
