#!/bin/bash -eu
# How OSS-Fuzz builds fuzzers of Python: one for each protocol, pure, of the base-builder-python image. $OUT and $SRC are its.
# A fuzzer is packed with pyinstaller as compile_python_fuzzer does it, with the vectors and the grammar; its seeds are the corpus.
cd "$SRC/l7codecs"
L7CODECS_PURE=1 pip3 install '.[fuzz]'
# Second implementations are not packed.
mkdir -p build/packed
sed '/^comparisons = /d' pyproject.toml >build/packed/pyproject.toml
for protocol in dubbo http2 kafka redis thrift thriftmux; do
    room=${protocol%mux}
    sed "s/@protocol@/$protocol/; s/@package@/l7codecs_$room/" fuzz/oss_fuzz.py >"fuzz_$protocol.py"
    compile_python_fuzzer "fuzz_$protocol.py" --collect-submodules l7codecs --collect-submodules "l7codecs_$room" \
        --copy-metadata l7codecs --add-data "build/packed/pyproject.toml:." --add-data "fuzz/grammars:fuzz/grammars" \
        --add-data "protocols/$room/vectors:protocols/$room/vectors" --hidden-import base64 --hidden-import struct
    (cd "fuzz/corpus/$protocol" && zip -qr "$OUT/fuzz_${protocol}_seed_corpus.zip" .)
done
