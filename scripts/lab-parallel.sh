#!/bin/bash
# Prints how many labs the tests may have at the same time: 2, or 1 where starting a program takes so long that two labs
# would starve each other's health checks of 500 ms. Measured: 2 ms a program where two labs side by side halve the time,
# 4 ms where the same tests time out.
set -euo pipefail
start=${EPOCHREALTIME/[.,]/}
for _ in $(seq 300); do /bin/true; done
each=$(((${EPOCHREALTIME/[.,]/} - start) / 300)) # microseconds
if [ "$each" -lt 3000 ] && [ "$(nproc)" -ge 2 ]; then echo 2; else echo 1; fi
