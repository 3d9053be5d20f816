#!/bin/sh
# Every endpoint with curl: sh benchmarks/clients/curl.sh [URL]. Prints one line for each request; fails on the first error.
set -eu
url=${1:-http://127.0.0.1:8000}
model=$(curl -sf "$url/v1/models" | sed 's/.*"id":"\([^"]*\)".*/\1/')

post() { # name, path, body, text that the answer must contain
    answer=$(curl -sf "$url$2" -H 'Content-Type: application/json' -d "$3") || { echo "$1: refused"; exit 1; }
    case $answer in *"$4"*) echo "$1: ok" ;; *) echo "$1: $answer"; exit 1 ;; esac
}

get() { # name, options, path, status
    status=$(curl -s -o /dev/null -w '%{http_code}' $2 "$url$3")
    [ "$status" = "$4" ] && echo "$1: ok" || { echo "$1: $status"; exit 1; }
}

get "HEAD /health" -I /health 200
get "HEAD /v1/models" -I /v1/models 200
get "/ leads to the playground" "" / 307
get "/props" "" /props 200
get "/slots" "" /slots 200
get "a base URL with too much" "" /v1/v1/models 404
post "completion" /v1/completions '{"prompt": "def add(a, b):\n    ", "max_tokens": 8, "seed": 1}' '"finish_reason"'
post "completion of white space" /v1/completions '{"prompt": "\n", "max_tokens": 4}' '"finish_reason"'
post "without /v1" /completions '{"prompt": "x = ", "max_tokens": 4}' '"text_completion"'
post "echo and logprobs" /v1/completions '{"prompt": "s='"'"'😀é'"'"'", "max_tokens": 0, "echo": true, "logprobs": 1}' '"text_offset":[0,1,3,'
post "stream" /v1/completions '{"prompt": "x = ", "max_tokens": 4, "stream": true}' 'data: [DONE]'
post "fields of vLLM" /v1/completions '{"prompt": "x = ", "max_tokens": 4, "top_k": -1, "min_p": 0, "repetition_penalty": 1.0, "min_tokens": 0, "skip_special_tokens": true, "seed": -1}' '"text"'
post "chat" /v1/chat/completions '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "tools": [], "tool_choice": "none"}' '"assistant"'
post "chat that is continued" /v1/chat/completions '{"messages": [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2,"}], "max_tokens": 4}' '"assistant"'
post "chat, stream" /v1/chat/completions '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": true}' '"delta":{"role":"assistant"'
post "cosec" /v1/completions '{"prompt": "x = ", "max_tokens": 4, "cosec": {"enabled": false}}' '"enabled":false'
post "llama.cpp's completion" /completion '{"prompt": "x = ", "n_predict": 4, "n_probs": 2}' '"completion_probabilities"'
post "tokenize" /tokenize '{"content": "é", "with_pieces": true}' '"piece":"é"'
post "detokenize" /detokenize '{"tokens": [10, 11]}' '"content"'
refused=$(curl -s "$url/v1/completions" -H 'Content-Type: application/json' -d '{"prompt": "x", "presence_penalty": 1}')
case $refused in *'"param":"presence_penalty"'*) echo "errors name the field: ok" ;; *) echo "errors: $refused"; exit 1 ;; esac
echo "$model: all ok"
