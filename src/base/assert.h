// STRATA_ASSERT(condition): a bug stops the process at once, in every build, with the place and the condition.
//
// Purpose:       a broken invariant must never reach the disk. Errors that can happen are Results, not assertions.
// Thread safety: any thread.
#pragma once

namespace strata {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace strata

#define STRATA_ASSERT(condition)                     \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::strata::assertion_failed(#condition, __FILE_NAME__, __LINE__))
