// What every request has in common that the server itself makes with libcurl, to a leader or to a bucket.
//
// Purpose:       whom it talks to and what it puts up with is decided once.
// Ownership:     nothing; `easy` is the caller's.
// Thread safety: initialize_requests from any thread; the others as the handle's owner.
// Invariants:    http and https alone; redirects are refused; no proxy of the environment; certificates and host names
//                are verified; paths are sent as they are written.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <string>

namespace strata::blobs {

// Before the first handle; again is nothing.
void initialize_requests();
// ca_file: certificates to trust instead of the system's; empty: the system's.
void set_common_options(CURL* easy, const std::string& ca_file, int64_t connect_timeout_ms);
// Ends the request when no byte moves for so long.
void set_idle_timeout(CURL* easy, int64_t idle_timeout_ms);

}  // namespace strata::blobs
