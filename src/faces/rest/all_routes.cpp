#include "faces/rest/all_routes.h"

#include "faces/rest/backup_routes.h"
#include "faces/rest/document_backup_routes.h"
#include "faces/rest/document_query_routes.h"
#include "faces/rest/document_routes.h"
#include "faces/rest/document_table_routes.h"
#include "faces/rest/file_archive_routes.h"
#include "faces/rest/file_collection_routes.h"
#include "faces/rest/file_routes.h"
#include "faces/rest/file_upload_routes.h"
#include "faces/rest/file_version_routes.h"
#include "faces/rest/log_routes.h"
#include "faces/rest/object_routes.h"
#include "faces/rest/records_routes.h"
#include "faces/rest/replica_routes.h"
#include "faces/rest/scan_routes.h"
#include "faces/rest/system_routes.h"
#include "faces/rest/task_routes.h"
#include "faces/rest/transaction_routes.h"
#include "faces/rest/vector_collection_routes.h"
#include "faces/rest/vector_graph_routes.h"
#include "faces/rest/vector_math_routes.h"
#include "faces/rest/vector_routes.h"
#include "faces/rest/vector_search_routes.h"

namespace strata::rest {

std::vector<std::span<const Route>> all_routes() {
  return {
      system_routes(),       //
      records_routes(),      //
      scan_routes(),         //
      log_routes(),          //
      backup_routes(),       //
      object_routes(),       //
      transaction_routes(),  //
      document_table_routes(),
      document_routes(),
      document_query_routes(),
      document_backup_routes(),
      vector_collection_routes(),
      vector_routes(),  //
      vector_search_routes(),
      vector_graph_routes(),
      vector_math_routes(),
      file_routes(),
      file_archive_routes(),
      file_version_routes(),
      file_upload_routes(),
      file_collection_routes(),
      replica_routes(),  //
      task_routes(),     //
  };
}

}  // namespace strata::rest
