// Hello answers every request with what it is and what it was asked, as the samples of Knative do.
//
// It reads PORT (default 8080), TARGET (default "World") and K_REVISION, which Knative sets.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	target, port := variable("TARGET", "World"), variable("PORT", "8080")
	handler := func(answer http.ResponseWriter, request *http.Request) {
		answer.Header().Set("Content-Type", "application/json")
		said := map[string]any{
			"message":  "Hello " + target + "!",
			"revision": os.Getenv("K_REVISION"),
			"host":     request.Host,
			"path":     request.URL.RequestURI(),
			"headers":  request.Header,
		}
		if err := json.NewEncoder(answer).Encode(said); err != nil {
			log.Print(err)
		}
	}
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(handler), ReadHeaderTimeout: 10 * time.Second}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-ended.Done()
		if err := server.Shutdown(context.Background()); err != nil {
			log.Print(err)
		}
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
