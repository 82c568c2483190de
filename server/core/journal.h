// Journal records between the core and the store.
#pragma once

#include <cstdint>
#include <span>

#include "server/core/box_launcher.h"
#include "server/store/job_rows.h"

namespace glovebox::server {

inline JournalRow RowOf(const JournalRecord& record) {
  JournalRow row{.icount = record.icount,
                 .signal = record.signal,
                 .while_waiting = record.while_waiting,
                 .step = record.step,
                 .input = record.input,
                 .input_end = record.input_end,
                 .time_ns = record.time_ns,
                 .change = record.change};
  if (record.resize) {
    row.rows = record.resize->rows;
    row.columns = record.resize->columns;
  }
  return row;
}

inline JournalRecord RecordOf(const JournalRow& row) {
  JournalRecord record{.icount = row.icount,
                       .signal = row.signal,
                       .while_waiting = row.while_waiting,
                       .step = row.step,
                       .input = row.input,
                       .input_end = row.input_end,
                       .resize = {},
                       .time_ns = row.time_ns,
                       .change = row.change};
  if (row.rows != 0) record.resize = TerminalSize{row.rows, row.columns};
  return record;
}

// How much of a live stdin has taken effect.
inline std::uint64_t TypedBytes(std::span<const JournalRecord> journal) {
  std::uint64_t bytes = 0;
  for (const JournalRecord& record : journal) bytes += record.input.size();
  return bytes;
}

}  // namespace glovebox::server
