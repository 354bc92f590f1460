"""A double of veraPDF: a script that writes the report of its version 1.28 on the files that it is given."""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """#!/bin/sh
# What a file holds says what is found of it.
level=
while [ $# -gt 0 ]; do
  case "$1" in
    --version) echo "veraPDF 1.28.2"; echo "Built: Tue Jul 15 16:59:00 MSK 2025"; exit 0 ;;
    --flavour) level=$2; shift 2 ;;
    --*) shift 2 ;;
    *) break ;;
  esac
done
echo "<?xml version='1.0' encoding='utf-8'?><report><buildInformation><releaseDetails id='core' version='1.28.2'"
echo " buildDate='2025-07-15T16:07:00+03:00'/></buildInformation><jobs>"
for file in "$@"; do
  echo "<job><item size='1'><name>$PWD/$file</name></item>"
  report="<validationReport jobEndStatus='normal' profileName='PDF/A-$level validation profile'"
  if grep -q UNREADABLE "$file"; then
    echo "<taskException type='PARSE' isExecuted='true' isSuccess='false'/>"
  elif grep -q ENDLESS "$file"; then
    exec tail -f /dev/null
  elif grep -q BROKEN "$file"; then
    echo "<validationReport jobEndStatus='normal' profileName='PDF/UA-1 validation profile' isCompliant='true'/>"
    echo "$report isCompliant='false'><details failedRules='2'>"
    echo "<rule specification='ISO 19005-2:2011' clause='6.2.11.4.1' testNumber='1' status='failed' failedChecks='4'/>"
    echo "<rule specification='ISO 19005-2:2011' clause='6.6.4' testNumber='2' status='passed'/>"
    echo "<rule specification='ISO 19005-2:2011' clause='6.6.2.1' testNumber='3' status='failed' failedChecks='1'/>"
    echo "</details></validationReport>"
  else
    echo "$report isCompliant='true'><details failedRules='0'/></validationReport>"
  fi
  echo "</job>"
done
echo "</jobs></report>"
"""


def checker(folder: Path, script: str = _SCRIPT) -> Path:
    """Write the double into a folder, and return its path."""
    path = folder / "verapdf"
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path
