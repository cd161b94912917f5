#pragma once

#include <napi.h>

namespace sockdoc {

/** What writes settings: writeSettingFile, setEthtool, setLimit; and netnsIdentity, tryLock. */
void define_settings(Napi::Env env, Napi::Object exports);

}  // namespace sockdoc
