// Services: what the routes' handlers call.
//
// Purpose:       the program hands one of these to the dispatcher; each table of routes uses the members of its model.
//                Types of service/ appear by forward declaration only, so that a change of one model recompiles its own
//                routes and no other.
// Ownership:     borrows; everything outlives the server.
// Thread safety: the pointers are set before the server starts and never change.
#pragma once

#include <string>

#include "base/clock.h"

namespace strata {
class MetricsRegistry;
namespace service {
class Backups;
class DocumentBackups;
class DocumentIndexes;
class DocumentQueries;
class Documents;
class FileArchives;
class FileCollector;
class FileUploads;
class FileVersions;
class Files;
class Log;
class Objects;
class Records;
class Transactions;
class Replica;
class Tasks;
class VectorGraph;
class VectorMath;
class Vectors;
}  // namespace service
}  // namespace strata

namespace strata::rest {

class SystemStatus;

struct Services {
  Clock* clock = &system_clock();
  MetricsRegistry* metrics = nullptr;
  SystemStatus* system = nullptr;
  service::Records* records = nullptr;
  service::Log* log = nullptr;
  service::Backups* backups = nullptr;
  service::Objects* objects = nullptr;
  service::Transactions* transactions = nullptr;
  service::Tasks* tasks = nullptr;
  service::Documents* documents = nullptr;
  service::DocumentIndexes* document_indexes = nullptr;
  service::DocumentQueries* document_queries = nullptr;
  service::DocumentBackups* document_backups = nullptr;
  service::Vectors* vectors = nullptr;
  service::VectorGraph* vector_graph = nullptr;
  service::VectorMath* vector_math = nullptr;
  service::Files* files = nullptr;
  service::FileVersions* file_versions = nullptr;
  service::FileUploads* file_uploads = nullptr;
  service::FileCollector* file_collector = nullptr;
  service::FileArchives* file_archives = nullptr;
  // Absent: a server that cannot follow, as in tests.
  service::Replica* replica = nullptr;
  // The OpenAPI document of all tables; set by the dispatcher, which generates it.
  const std::string* openapi = nullptr;
};

}  // namespace strata::rest
