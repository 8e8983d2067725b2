# Sourced by ./x: how all tests are built and run, and how their results are counted.
#
# Under sanitizers, once for addresses and once for threads: every unit and conformance test; and the fuzzers. In the
# release: suites that live from its speed (label "release"), scenarios and the crash loop, on the real binary. That
# split keeps a clean run on two cores, without ccache, well below 25 minutes.

run_tests() {
  local filter="" argument failed=0
  for argument in "$@"; do
    case "$argument" in
      --long) export STRATA_TEST_LONG=1 ;;
      -*) fail "unknown option: $argument" ;;
      *) filter=$argument ;;
    esac
  done
  results="$PWD/build/test-results"
  rm -rf "$results"
  mkdir -p "$results"
  build release strata release_tests
  build asan-ubsan tests fuzzers
  build tsan tests

  run_ctest asan-ubsan "$filter" -LE release || failed=1
  run_ctest tsan "$filter" -LE release || failed=1
  run_ctest release "$filter" -L release || failed=1
  run_scenarios "$filter" || failed=1
  run_crash_loop "$filter" || failed=1
  run_fuzzers "$filter" || failed=1

  tools/test_summary.py "$results" || failed=1
  return $failed
}

# outcome STAGE NAME passed|failed
outcome() { printf '%s\t%s\n' "$3" "$2" >>"$results/$1.tsv"; }
matches() { [[ -z "$2" || "$1" == *"$2"* ]]; }

# run_ctest PRESET FILTER LABEL-OPTIONS...
run_ctest() {
  local preset=$1 filter=$2 seconds=300
  shift 2
  [[ -n "${STRATA_TEST_LONG:-}" ]] && seconds=86400
  say "ctest $preset"
  # A filter chooses among cases, else a suite is a process.
  [[ -n "$filter" ]] && export STRATA_TEST_BY_CASE=1
  # Debian's RocksDB is not instrumented: what it synchronizes with atomics of its own looks like races.
  STRATA_TEST_RESULTS="$results/ctest-$preset" UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=ignore_noninstrumented_modules=1 \
    ctest --test-dir "build/$preset" -j "$jobs" --timeout "$seconds" --output-on-failure --progress \
    --output-junit "$results/ctest-$preset.xml" "$@" ${filter:+-R "$filter"} >"$results/ctest-$preset.log" 2>&1 && return
  grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^\s*$' "$results/ctest-$preset.log" | tail -n 200
  return 1
}

run_scenarios() {
  say "scenarios"
  local code=0
  STRATA_BINARY="$PWD/build/release/strata" /usr/bin/python3 -m pytest -q -p no:cacheprovider -n "$jobs" \
    --junitxml "$results/scenarios.xml" ${1:+-k "$1"} tests/scenarios tests/crash tests/compat || code=$?
  [[ $code == 0 || $code == 5 ]]  # 5: the filter matched none
}

# side_by_side COMMAND...: as many at once as there are jobs; all_done waits for the last. Both set the caller's `failed`.
side_by_side() {
  "$@" &
  running+=($!)
  [[ ${#running[@]} -lt $jobs ]] && return
  wait "${running[0]}" || failed=1
  running=("${running[@]:1}")
}
all_done() {
  local process
  for process in "${running[@]}"; do wait "$process" || failed=1; done
  running=()
}

# crash_mode FILTER NAME KILLS OPTIONS...
crash_mode() {
  local filter=$1 name=$2 kills=$3
  shift 3
  matches "$name" "$filter" || return 0
  say "$name"
  [[ -n "${STRATA_TEST_LONG:-}" ]] && kills=$((kills * 20))
  if tests/crash/crash_loop.py --binary build/release/strata --verifier build/release/crash_verify --kills $kills "$@"; then
    outcome crash "$name" passed
  else
    outcome crash "$name" failed
    return 1
  fi
}

run_crash_loop() {
  local failed=0 running=()
  local cut=(--power-loss build/release/libpower_loss.so) points=(--points build/release/libdisk_faults.so)
  side_by_side crash_mode "$1" crash_loop_sync 40 --durability sync
  side_by_side crash_mode "$1" crash_loop_points 50 --durability sync "${points[@]}"
  side_by_side crash_mode "$1" crash_loop_power_cut_sync 10 --durability sync "${cut[@]}"
  side_by_side crash_mode "$1" crash_loop_power_cut_points 10 --durability sync "${cut[@]}" "${points[@]}"
  all_done
  # Alone: half a second is what they give the thread that syncs.
  crash_mode "$1" crash_loop_async 10 --durability async || failed=1
  crash_mode "$1" crash_loop_power_cut_async 10 --durability async "${cut[@]}" || failed=1
  return $failed
}

fuzz_one() {
  local program=$1 name seconds=20 found
  name=$(basename "$program")
  [[ -n "${STRATA_TEST_LONG:-}" ]] && seconds=3600
  found="build/fuzz/$name"
  mkdir -p "$found" "tests/fuzz/corpus/${name#fuzz_}"
  if "$program" -max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found-" "$found" "tests/fuzz/corpus/${name#fuzz_}" >"$results/$name.log" 2>&1; then
    outcome fuzz "$name" passed
  else
    tail -n 60 "$results/$name.log"
    outcome fuzz "$name" failed
    return 1
  fi
}

run_fuzzers() {
  local program failed=0 running=()
  say "fuzzers"
  for program in build/asan-ubsan/fuzz/fuzz_*; do
    [[ -x "$program" ]] || continue
    matches "$(basename "$program")" "$1" || continue
    side_by_side fuzz_one "$program"
  done
  all_done
  return $failed
}
