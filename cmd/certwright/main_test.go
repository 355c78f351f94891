package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"certwright": main})
}

// The scripts are the program's examples as well as its tests.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"occupy":   occupy,
			"answers":  answers,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("CERTWRIGHT_ADMIN_PASSWORD", "Admin-password-1")
			return nil
		},
	})
}

// freePort NAME sets the variable to an address on which nobody listens.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], l.Addr().String())
}

// occupy NAME sets the variable to an address on which somebody listens.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// answers URL FILE waits until the server answers with 200, whose TLS certificate
// must then be from a CA in the file.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // until it is up
		r, err := client.Get(args[0])
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer: %v", args[0], err)
		}
	}
	if _, err := os.Stat(ts.MkAbs(args[1])); err != nil {
		ts.Fatalf("%v", err)
	}
}

// A mistake is told in one line without a stack, and nothing is left behind.
func TestNothingIsLeftBehindWhenThePortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "data")
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"serve", "--data", dir, "--listen", l.Addr().String()})
	if err := root.Execute(); err == nil {
		t.Error("served on a port that is taken")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the data directory was made")
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}
