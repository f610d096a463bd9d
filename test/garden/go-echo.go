// Answers every request with how net/http read it. The first line of the output is the port.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
)

func echo(response http.ResponseWriter, request *http.Request) {
	bodyBytes, err := io.Copy(io.Discard, request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	reading, _ := json.Marshal(map[string]any{"target": request.RequestURI, "path": request.URL.Path, "bodyBytes": bodyBytes})
	response.Header().Set("X-Reading", base64.StdEncoding.EncodeToString(reading))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	// a handler without http.ServeMux, which redirects to cleaned paths
	panic(http.Serve(listener, http.HandlerFunc(echo)))
}
