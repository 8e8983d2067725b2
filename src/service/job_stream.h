// JobStream: what a job writes on its way to a request.
//
// Purpose:       a copy of something large goes out as a response while a thread of its own makes it.
// Ownership:     shares the pipe and the stop flag with the job; ends the job when it dies.
// Thread safety: one reader.
#pragma once

#include <memory>

#include "service/bytes_pipe.h"
#include "service/long_jobs.h"

namespace strata::service {

class JobStream {
 public:
  JobStream(std::shared_ptr<BytesPipe> pipe, StopHandle stop) : pipe_(std::move(pipe)), stop_(std::move(stop)) {}
  ~JobStream() {
    stop_->set();
    pipe_->close();
  }
  JobStream(const JobStream&) = delete;
  JobStream& operator=(const JobStream&) = delete;

  // The next bytes; none: the end.
  Result<Bytes> read() { return pipe_->read().get(); }

 private:
  const std::shared_ptr<BytesPipe> pipe_;
  const StopHandle stop_;
};

}  // namespace strata::service
