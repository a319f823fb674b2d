// One TLS connection with Go's standard library, as far as the peer lets it come:
//
//	go run . ADDRESS SERVER_NAME [ALPN]...
//
// It prints the certificate's first name and what was answered, or exits 1 with the reason.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: %s ADDRESS SERVER_NAME [ALPN]...", os.Args[0]))
	}
	config := &tls.Config{ServerName: os.Args[2], NextProtos: os.Args[3:], RootCAs: roots()}
	connection, err := tls.Dial("tcp", os.Args[1], config)
	if err != nil {
		fail(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(30 * time.Second))

	fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", os.Args[2])
	answer, err := io.ReadAll(connection)
	if err != nil {
		fail(err)
	}
	fmt.Println(connection.ConnectionState().PeerCertificates[0].DNSNames)
	os.Stdout.Write(answer)
}

// The authorities in the file that SSL_CERT_FILE names, or the system's.
func roots() *x509.CertPool {
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
