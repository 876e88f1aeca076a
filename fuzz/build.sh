#!/bin/bash -eu
# How OSS-Fuzz builds fuzzers of Python: one for each protocol, pure, of the base-builder-python image. $OUT and $SRC are its.
# A fuzzer is packed with pyinstaller as compile_python_fuzzer does it; its seeds are the corpus.
cd "$SRC/l7codecs"
L7CODECS_PURE=1 pip3 install '.[fuzz]'
for protocol in dubbo http2 kafka redis thrift thriftmux; do
    sed "s/@protocol@/$protocol/" fuzz/oss_fuzz.py >"fuzz_$protocol.py"
    compile_python_fuzzer "fuzz_$protocol.py" --collect-submodules l7codecs --collect-submodules "l7codecs_$protocol" \
        --copy-metadata l7codecs --add-data "protocols/$protocol/vectors:vectors"
    if [ -d "fuzz/corpus/$protocol" ]; then
        (cd "fuzz/corpus/$protocol" && zip -qr "$OUT/fuzz_${protocol}_seed_corpus.zip" .)
    fi
done
