// The one error list.
//
// Purpose:       every error that Strata can return, with its FoundationDB number, its HTTP status and its words.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    a code's row never changes its number or status: clients depend on them. The HTTP status is kept as a
//                plain number here so that the map has one home; faces translate nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata {

// X(name, FoundationDB number or 0, HTTP status, message)
// The numbers and messages of the first part are FoundationDB's (fdb_c error codes), as its clients expect them.
#define STRATA_ERRORS(X)                                                                                        \
  X(timed_out, 1004, 504, "Operation timed out")                                                                \
  X(transaction_too_old, 1007, 503, "Transaction is too old to perform reads or be committed")                  \
  X(future_version, 1009, 503, "Request for future version")                                                    \
  X(not_committed, 1020, 409, "Transaction not committed due to conflict with another transaction")             \
  X(commit_unknown_result, 1021, 503, "Transaction may or may not have committed")                              \
  X(transaction_cancelled, 1025, 500, "Operation aborted because the transaction was cancelled")                \
  X(transaction_timed_out, 1031, 504, "Operation aborted because the transaction timed out")                    \
  X(too_many_watches, 1032, 429, "Too many watches currently set")                                              \
  X(watches_disabled, 1034, 400, "Watches cannot be set if read your writes is disabled")                       \
  X(accessed_unreadable, 1036, 400, "Read or wrote an unreadable key")                                          \
  X(process_behind, 1037, 503, "Storage process does not have recent mutations")                                \
  X(database_locked, 1038, 503, "Database is locked")                                                           \
  X(cluster_version_changed, 1039, 503, "The protocol version of the cluster has changed")                      \
  X(commit_proxy_memory_limit_exceeded, 1042, 503, "Too many commits are waiting")                              \
  X(batch_transaction_throttled, 1051, 503, "Batch GRV request rate limit exceeded")                            \
  X(grv_proxy_memory_limit_exceeded, 1078, 503, "Too many requests for a read version are waiting")             \
  X(operation_cancelled, 1101, 499, "Asynchronous operation cancelled")                                         \
  X(future_released, 1102, 500, "Future has been released")                                                     \
  X(tag_throttled, 1213, 503, "Transaction tag is being throttled")                                             \
  X(io_error, 1510, 500, "Disk i/o operation failed")                                                           \
  X(client_invalid_operation, 2000, 400, "Invalid API call")                                                    \
  X(key_outside_legal_range, 2004, 400, "Key outside legal range")                                              \
  X(inverted_range, 2005, 400, "Range begin key larger than end key")                                           \
  X(invalid_option_value, 2006, 400, "Option set with an invalid value")                                        \
  X(invalid_option, 2007, 400, "Option not valid in this context")                                              \
  X(network_not_setup, 2008, 500, "Action not possible before the network is configured")                       \
  X(network_already_setup, 2009, 500, "Network can be configured only once")                                    \
  X(read_version_already_set, 2010, 400, "Transaction already has a read version set")                          \
  X(version_invalid, 2011, 400, "Version not valid")                                                            \
  X(range_limits_invalid, 2012, 400, "Range limits not valid")                                                  \
  X(future_not_set, 2015, 500, "Future not ready")                                                              \
  X(used_during_commit, 2017, 400, "Operation issued while a commit was outstanding")                           \
  X(invalid_mutation_type, 2018, 400, "Unrecognized atomic mutation type")                                      \
  X(transaction_invalid_version, 2020, 400, "Transaction does not have a valid commit version")                 \
  X(no_commit_version, 2021, 400, "Transaction is read-only and therefore does not have a commit version")      \
  X(network_cannot_be_restarted, 2025, 500, "Network thread cannot be restarted")                               \
  X(blocked_from_network_thread, 2026, 500, "Detected a deadlock in a callback called from the network thread") \
  X(mapper_bad_index, 2030, 400, "Invalid index in K[] or V[]")                                                 \
  X(mapper_no_such_key, 2031, 400, "A mapped key is not set in database")                                       \
  X(mapper_bad_range_descriptor, 2032, 400, "\"{...}\" must be the last element of the mapper tuple")           \
  X(mapped_range_has_more, 2033, 400, "One of the mapped range queries is too large")                           \
  X(get_mapped_range_reads_your_writes, 2039, 400, "Read-your-writes conflicts for the mapped range")           \
  X(key_not_tuple, 2041, 400, "The key cannot be parsed as a tuple")                                            \
  X(value_not_tuple, 2042, 400, "The value cannot be parsed as a tuple")                                        \
  X(mapper_not_tuple, 2043, 400, "The mapper cannot be parsed as a tuple")                                      \
  X(transaction_too_large, 2101, 413, "Transaction exceeds byte limit")                                         \
  X(key_too_large, 2102, 400, "Key length exceeds limit")                                                       \
  X(value_too_large, 2103, 413, "Value length exceeds limit")                                                   \
  X(unsupported_operation, 2108, 400, "Operation is not supported")                                             \
  X(special_keys_cross_module_read, 2112, 400, "Special key space range read crosses modules")                  \
  X(special_keys_no_module_found, 2113, 400, "No special key module covers this key")                           \
  X(api_version_already_set, 2201, 500, "API version may be set only once")                                     \
  X(api_version_not_supported, 2203, 400, "API version not supported")                                          \
  X(exact_mode_without_limits, 2210, 400, "EXACT streaming mode requires limits, but none were given")          \
  /* Strata's own: no FoundationDB number. */                                                                   \
  X(invalid_argument, 0, 400, "invalid argument")                                                               \
  X(unauthenticated, 0, 401, "authentication required")                                                         \
  X(permission_denied, 0, 403, "permission denied")                                                             \
  X(not_found, 0, 404, "not found")                                                                             \
  X(method_not_allowed, 0, 405, "method not allowed")                                                           \
  X(request_timeout, 0, 408, "request timed out")                                                               \
  X(already_exists, 0, 409, "already exists")                                                                   \
  X(conflict, 0, 409, "conflict")                                                                               \
  X(gone, 0, 410, "gone")                                                                                       \
  X(length_required, 0, 411, "length required")                                                                 \
  X(precondition_failed, 0, 412, "precondition failed")                                                         \
  X(payload_too_large, 0, 413, "request body too large")                                                        \
  X(uri_too_long, 0, 414, "request target too long")                                                            \
  X(unsupported_media_type, 0, 415, "unsupported media type")                                                   \
  X(range_not_satisfiable, 0, 416, "range not satisfiable")                                                     \
  X(expectation_failed, 0, 417, "expectation failed")                                                           \
  X(too_many_requests, 0, 429, "too many requests")                                                             \
  X(headers_too_large, 0, 431, "request headers too large")                                                     \
  X(internal, 0, 500, "internal error")                                                                         \
  X(corruption, 0, 500, "stored data is corrupt")                                                               \
  X(disk_full, 0, 500, "failed to write: disk full")                                                            \
  X(unimplemented, 0, 501, "not implemented")                                                                   \
  X(unavailable, 0, 503, "service unavailable")                                                                 \
  X(http_version_not_supported, 0, 505, "HTTP version not supported")

enum class ErrorCode : uint16_t {
#define STRATA_ERROR_ENUMERATOR(name, number, status, message) name,
  STRATA_ERRORS(STRATA_ERROR_ENUMERATOR)
#undef STRATA_ERROR_ENUMERATOR
};

std::string_view error_name(ErrorCode code);
// FoundationDB's number, 0 where it has none.
int fdb_error_number(ErrorCode code);
int http_status(ErrorCode code);
// The default words for the code; an Error may say it better.
std::string_view error_message(ErrorCode code);

class Error {
 public:
  Error(ErrorCode code) : code_(code) {}  // NOLINT: an error code is an error
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  // What was wrong and what to do about it.
  std::string_view message() const { return message_.empty() ? error_message(code_) : std::string_view(message_); }

 private:
  ErrorCode code_;
  std::string message_;
};

inline bool operator==(const Error& a, const Error& b) { return a.code() == b.code(); }

}  // namespace strata
