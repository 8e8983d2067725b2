#include "tuple/subspace.h"

namespace strata::tuple {

Subspace Subspace::from_raw_prefix(BytesView prefix) {
  Subspace subspace;
  subspace.prefix_ = prefix;
  return subspace;
}

Result<Tuple> Subspace::unpack(BytesView key) const {
  if (!contains(key)) return Error(ErrorCode::invalid_argument, "tuple: the key is outside the subspace");
  return Tuple::unpack(key.substr(prefix_.size()));
}

}  // namespace strata::tuple
