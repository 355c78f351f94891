// Command certwright is the certificate lifecycle manager: the server and the
// commands that look after it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses: what failed, and what was never begun for a mistake in the call.
const (
	exitFailed = 1
	exitUsage  = 2
)

// version is set by the linker for releases.
var version = "devel"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "certwright:", oneLine(err))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// usageError is a mistake in the call.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "certwright",
		Short:         "Certificate lifecycle manager that speaks the REST API of Venafi TPP",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newServe(), newApply(), newExport(), newDemo(), newDemoService(), newRotateKey())
	return root
}

// noArgs refuses arguments: what is said, is said by flags.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s does not know what to do with %q", c.CommandPath(), args[0])}
	}
	return nil
}

// oneLine is the error on one line, whatever it was made of.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
