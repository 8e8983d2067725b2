#include "vectors/external_peer.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace strata::bench {

std::unique_ptr<ExternalPeer> ExternalPeer::start(const std::vector<std::string>& command) {
  int in[2];
  int out[2];
  if (pipe(in) != 0 || pipe(out) != 0) return nullptr;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  for (const int end : {in[0], in[1], out[0], out[1]}) posix_spawn_file_actions_addclose(&actions, end);
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  std::unique_ptr<ExternalPeer> peer(new ExternalPeer);
  const int failed = posix_spawnp(&peer->process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  peer->to_ = fdopen(in[1], "w");
  peer->from_ = fdopen(out[0], "r");
  if (failed != 0) peer->process_ = -1;
  char name[64] = {};
  if (failed != 0 || fscanf(peer->from_, "%63s %lf %lf", name, &peer->build_seconds_, &peer->memory_bytes_) != 3) {
    return nullptr;
  }
  peer->name_ = name;
  return peer;
}

ExternalPeer::~ExternalPeer() {
  fclose(to_);
  fclose(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

ExternalPeer::Measured ExternalPeer::search(size_t ef) {
  Measured measured;
  fprintf(to_, "%zu\n", ef);
  fflush(to_);
  if (fscanf(from_, "%lf %lf", &measured.recall, &measured.seconds) != 2) std::abort();
  return measured;
}

}  // namespace strata::bench
