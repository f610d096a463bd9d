# shellcheck shell=bash
# The frame of a driver: what a client under test is told on the command line. Sourced after the functions that it calls, never run.
#
#   version        prints the client's version
#   use COUNT GAP  COUNT times, GAP seconds apart: takes credentials as the client does, and uses them. Prints a line of JSON for each:
#                  {"arn": "who STS says that this is", "key": "the access key id"} or {"error": "what went wrong"}
#   time COUNT     COUNT times: takes credentials anew. Prints a line of JSON for each: {"ms": how long it took}
#
# A driver has the functions print_version, use_once and fetch_once.

case $1 in
  version) print_version ;;
  use)
    for ((number = 0; number < $2; number++)); do
      [ "$number" = 0 ] || sleep "$3"
      use_once 2>"$HOME/error" || printf '{"error": "%s"}\n' "$(tr '\n"\\' '   ' <"$HOME/error")"
    done
    ;;
  time)
    for ((number = 0; number < $2; number++)); do
      began=${EPOCHREALTIME/./}
      fetch_once >/dev/null
      echo "{\"ms\": $(((${EPOCHREALTIME/./} - began) / 10))e-2}"
    done
    ;;
esac
