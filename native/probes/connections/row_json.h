#pragma once

#include "base/json.h"
#include "probes/connections/row_view.h"

namespace sockdoc {

/** Writes a ConnectionRow (src/model/views/connections.ts). */
void write_row(Json& json, const RowView& view);

}  // namespace sockdoc
