"""What the programs beside this file share: the oracle's jars, running Messages.java, and ktrial's names for what it says."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zlib

import exceptions

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELEASES = ["4.4.0", "3.9.1"]
KTRIAL = os.environ.get("KTRIAL", str(ROOT / "build/release/ktrial"))


def die(text):
    print(f"oracle: {text}", file=sys.stderr)
    sys.exit(4)


def pom(coordinates):
    rows = []
    for group, artifact, version in coordinates:
        alone = artifact.endswith(("-coordinator", "-metadata"))  # of the server only the message classes are wanted
        exclusion = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>" if alone else ""
        rows.append(f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{exclusion}"
                    "</dependency>")
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>ktrial</groupId>'
            f"<artifactId>oracle</artifactId><version>1</version><dependencies>{''.join(rows)}</dependencies></project>\n")


def jars(release):
    """The jars that tests/pins.txt names as oracle-RELEASE, fetched once into build/."""
    coordinates = []
    for line in (ROOT / "tests/pins.txt").read_text().splitlines():
        f = line.split()
        if f[:2] == ["maven", f"oracle-{release}"]:
            coordinates.append(f[2].split(":"))
    if not coordinates:
        die(f"tests/pins.txt names no oracle-{release}")
    text = pom(coordinates)
    libs = ROOT / "build" / f"oracle-{release}" / f"libs-{zlib.crc32(text.encode()):08x}"
    if not libs.is_dir():
        if not shutil.which("mvn"):
            die("mvn is not installed: apt-get install maven")
        work = libs.parent / f"fetch-{os.getpid()}"
        work.mkdir(parents=True)
        (work / "pom.xml").write_text(text)
        got = subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(work / "pom.xml"), "dependency:copy-dependencies",
                              f"-DoutputDirectory={work / 'libs'}"], stdout=sys.stderr)
        if got.returncode:
            die(f"mvn could not fetch the jars of {release}")
        try:
            os.rename(work / "libs", libs)
        except OSError:
            pass  # somebody else fetched them at the same time
        shutil.rmtree(work)
    return sorted(str(p) for p in libs.glob("*.jar"))


def java(release, program, *args, stdin=None):
    """Runs a Java source file beside this one against a release's classes; its standard output."""
    if not shutil.which("java"):
        die("java is not installed: apt-get install openjdk-17-jdk-headless")
    got = subprocess.run(["java", "-XX:+UseSerialGC", "-cp", ":".join(jars(release)), str(ROOT / "tests/oracle" / program), *map(str, args)],
                         input=stdin, capture_output=True, text=True)
    if got.returncode:
        die(f"{program} {' '.join(map(str, args))} failed:\n{got.stderr[-3000:]}")
    return got.stdout


def rename(value, names):
    if isinstance(value, dict):
        return {names.get(k, k): rename(v, names) for k, v in value.items()}
    return [rename(v, names) for v in value] if isinstance(value, list) else value


class Sample:
    """One random message of a release: what Kafka wrote, and what it means in ktrial's names."""

    def __init__(self, release, line, table):
        key, self.kafka_name, self.type, version, self.feature, self.hex, text = line.split("\t")
        self.release, self.key, self.version, self.table = release, int(key), int(version), table
        self.name = table.message(release, self.kafka_name)
        self.value = self.canonical(json.loads(text))

    def canonical(self, value):
        return rename(value, self.table.renamed(self.release, self.name, self.type, self.version))

    def line(self, **more):
        who = {"apiKey": self.key} if self.key >= 0 else {"api": self.name}
        return json.dumps({**who, "version": self.version, "type": self.type, **more}, ensure_ascii=False)

    def __str__(self):
        return f"{self.release} {self.name} {self.type} v{self.version} {self.feature}"


def samples(release, seed, count):
    """Random messages of every class and version of a release, without the few versions whose layout ktrial takes from another release."""
    table = exceptions.Table()
    made = [Sample(release, l, table) for l in java(release, "Messages.java", "make", seed, count).splitlines()]
    return [s for s in made if not table.other_layout(release, s.name, s.type, s.version)]


def ktrial_batch(lines, *args):
    """Parsed answers of `ktrial message --batch`, in order."""
    got = subprocess.run([KTRIAL, "message", "--batch", *args], input="".join(l + "\n" for l in lines), capture_output=True, text=True)
    if got.returncode:
        die(f"ktrial message --batch failed: {got.stderr}")
    return [json.loads(l) for l in got.stdout.splitlines()]
