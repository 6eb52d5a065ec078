// The zlib format (RFC 1950) without its compression: deflate's "stored" blocks and a checksum. Any inflate reads it,
// it needs no library, and a histogram's V2 encoding is compact before it is compressed.
#pragma once

#include "base/bytes.h"

namespace ringtail {

Buffer zlibStored(Bytes bytes);

}  // namespace ringtail
