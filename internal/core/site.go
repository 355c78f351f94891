package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Limits of reaching applications.
const (
	defaultLookTime = 20 * time.Second // until a service that was reloaded shows its new certificate
	maxLookTime     = 60 * time.Second
	maxLooks        = 64 // places at which one application is looked at
)

// The values of a credential by which somebody logs in to a host.
const (
	passwordValue = "Password" // or, beside a key, what protects it
	keyValue      = "Key"
)

// A site is where an installation puts a certificate, with what it puts there.
type site struct {
	deploy.Target
	bundle   pki.Bundle
	lookTime time.Duration
	secrets  []secret.Plain // must not stand in what programs have printed
}

// equipInstallation finds out where the certificate goes, and then what is put there:
// where the one is known and the other is not, what was put there can be put back.
func (c *Core) equipInstallation(ctx context.Context, t *task) error {
	settings, driver, err := c.equipSite(ctx, t)
	if err != nil {
		return err
	}
	s := t.at
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		place, err := c.bundleFor(tx, t)
		if err != nil {
			return err
		}
		s.Looks, err = looksOf(t.path, settings, driver, hostName(place))
		return err
	})
	switch {
	case err != nil:
		return faultUnlessPermanent(err)
	case driver.WantsKey && s.bundle.Key == nil:
		return clm.Permanent(errors.New("the private key of the certificate is not held"))
	case isUntold(t.path) && len(t.path.Value(clm.LookAt).Values) == 0:
		s.Looks = nil
	}
	return nil
}

// isUntold reports whether nobody tells the service of the application at the end of the
// path, which shows the certificate some day.
func isUntold(path clm.Path) bool { return firstOf(path.Last(), clm.Restart) == "0" }

// faultUnlessPermanent is fault for what does not say that trying again is in vain.
func faultUnlessPermanent(err error) error {
	if clm.IsPermanent(err) {
		return err
	}
	return fault(err)
}

// equipUndo finds out where it is to be put back. What is to be there again, the store
// knows, and what was seen before is in the work.
func (c *Core) equipUndo(ctx context.Context, t *task) error {
	_, _, err := c.equipSite(ctx, t)
	return err
}

// equipSite finds out where the certificate goes, and how that is reached.
func (c *Core) equipSite(ctx context.Context, t *task) (settings deploy.Settings, driver deploy.Driver, err error) {
	s := &site{}
	t.at = s
	driver, ok := c.driverOf(t.path.Last().Class)
	if !ok {
		return settings, driver, unfit("there is no driver for applications of this class")
	}
	if err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		settings, err = c.settingsOf(tx, t.path, driver)
		return err
	}); err != nil {
		return settings, driver, faultUnlessPermanent(err)
	}
	for _, plain := range settings.Secrets {
		s.secrets = append(s.secrets, plain)
	}
	s.secrets = append(s.secrets, settings.Login.Password, settings.Login.Passphrase)
	seconds := number(t.path.Value(clm.LookTime).First(), int(defaultLookTime/time.Second))
	s.lookTime = min(time.Duration(seconds)*time.Second, maxLookTime)
	c.hosts.limitTo(t.work.Host, hostLimit(t.path))
	target, err := driver.New(settings)
	if err != nil {
		return settings, driver, clm.Permanent(errors.New(remote.Redact(err.Error(), s.secrets...)))
	}
	s.Store, s.Service, s.Bare = target.Store, target.Service, target.Bare
	if isUntold(t.path) {
		s.Service = nil
	}
	return settings, driver, nil
}

// unfit is why an application cannot be served as it is set up: trying again cannot mend it.
func unfit(format string, args ...any) error { return clm.Permanent(fmt.Errorf(format, args...)) }

// bundleFor gathers what is to be installed. The place is that of the certificate.
func (c *Core) bundleFor(tx *store.Tx, t *task) (place clm.Path, err error) {
	v := t.version
	place, err = tx.PathByID(v.Certificate)
	switch {
	case errors.Is(err, clm.NotFound):
		return nil, unfit("the certificate is not there any more")
	case err != nil:
		return nil, err
	case firstOf(t.path.Last(), clm.Bound) != string(v.Certificate):
		return nil, unfit("the application does not use this certificate any more")
	case place.Last().Current != v.ID:
		return nil, unfit("another certificate has come into use")
	}
	chain, err := tx.Chain(v.Chain)
	if err != nil {
		return nil, err
	}
	t.at.bundle = pki.Bundle{Cert: v.Cert, Chain: chain, FriendlyName: cmp.Or(hostName(place), place.Last().DN.Name())}
	holder, err := c.keptKey(tx, place.Last())
	if err != nil || holder == nil {
		return place, err
	}
	t.at.bundle.Key, err = c.openKey(holder.Sealed, versionBind(holder.ID))
	return place, fault(err)
}

// settingsOf gathers what the driver has to know of the application at the end of the path.
func (c *Core) settingsOf(tx *store.Tx, path clm.Path, driver deploy.Driver) (s deploy.Settings, err error) {
	s = deploy.Settings{ID: path.Last().ID, Values: map[clm.Attr][]string{}, Secrets: map[clm.Attr]secret.Plain{}}
	for _, f := range driver.Fields {
		values := path.Value(f.Attr).Values
		if f.Credential && len(values) > 0 {
			login, err := c.loginOf(tx, values[0])
			if err != nil {
				return s, fmt.Errorf("%s: %w", f.Label, err)
			}
			s.Secrets[f.Attr] = login.Password
			continue
		}
		if len(values) == 0 && f.Required {
			return s, unfit("%s is not set", f.Label)
		}
		s.Values[f.Attr] = values
	}
	at := func(a clm.Attr) clm.Setting { return ofHost(path, a) }
	s.Address, s.Port = at(clm.Host).First(), number(at(clm.Port).First(), 0)
	if credential := at(clm.CredentialOf).First(); credential != "" {
		if s.Login, err = c.loginOf(tx, credential); err != nil {
			return s, fmt.Errorf("credential: %w", err)
		}
	}
	s.Host, err = c.reach(path, s)
	return s, err
}

// reachedAs is the path of what says how the application at the end of the path is
// reached: its device says all of it, or nothing where the application has a host of its
// own, so that no credential is used for a host for which it was not meant.
func reachedAs(path clm.Path) clm.Path {
	above := len(path) - 1
	if above < 1 || path[above-1].Class != clm.Device || firstOf(path[above], clm.Host) != "" {
		return path
	}
	return path[:above]
}

// ofHost is what is said of how the device or application is reached.
func ofHost(path clm.Path, a clm.Attr) clm.Setting { return reachedAs(path).Value(a) }

// hostLimit is how many works are at the device of the application at a time, whatever
// the host of the application.
func hostLimit(path clm.Path) int {
	device := path[:max(len(path)-1, 1)]
	return number(device.Value(clm.HostLimit).First(), defaultHostLimit)
}

// reach says how the host of the application is reached; nothing is reached yet.
func (c *Core) reach(path clm.Path, s deploy.Settings) (func() (*remote.Host, error), error) {
	at := func(a clm.Attr) clm.Setting { return ofHost(path, a) }
	switch by := at(clm.ConnectBy).First(); {
	case strings.EqualFold(by, clm.ByLocal) && c.localHost:
		return func() (*remote.Host, error) { return remote.Local(), nil }, nil
	case strings.EqualFold(by, clm.ByLocal):
		return nil, unfit("the machine on which this server runs is not open to be provisioned")
	case strings.HasPrefix(strings.ToLower(by), "winrm"):
		return nil, unfit("the connection method %s is not supported", by)
	}
	host := reachedAs(path).Last()
	known := at(clm.TrustedKeys).Values
	if seen := firstOf(host, clm.SeenKey); seen != "" && !at(clm.KnownHost).IsOn() {
		known = append(known[:len(known):len(known)], seen)
	}
	access := remote.Access{
		Address: s.Address, Port: s.Port, Login: s.Login, HostKeys: known,
		Trust:   len(known) == 0 && !at(clm.KnownHost).IsOn(),
		Learned: func(fingerprint, kind string) { c.learnHostKey(host, fingerprint, kind) },
		Sudo:    at(clm.Sudo).IsOn(), Timeout: time.Duration(number(at(clm.Timeout).First(), 0)) * time.Second,
	}
	return func() (*remote.Host, error) {
		switch {
		case access.Address == "":
			return nil, unfit("the device has no host")
		case access.User == "":
			return nil, unfit("the device has no credential with a user name")
		}
		return c.hosts.pool.Host(access), nil
	}, nil
}

// learnHostKey writes down which key the host of the device or application has shown
// first: from then on no other is good.
func (c *Core) learnHostKey(host *clm.Object, fingerprint, kind string) {
	entry := store.Entry{Actor: clm.System, Action: "host key", Subject: string(host.DN), Detail: fingerprint}
	err := c.db.Write(context.Background(), entry, func(tx *store.Tx) error {
		path, err := tx.PathByID(host.ID)
		if err != nil || firstOf(path.Last(), clm.SeenKey) != "" {
			return err
		}
		o := cloned(path.Last())
		set(o.Own, clm.SeenKey, fingerprint)
		set(o.Own, clm.SeenKeyKind, kind)
		return tx.SaveObject(o)
	})
	if err != nil {
		c.log.Error("keep host key", "object", string(host.DN), "error", err)
	}
}

// loginOf opens the credential to which the value refers: who has written a DN instead
// may not have had the right to name it. Only its own secret counts.
func (c *Core) loginOf(tx *store.Tx, value string) (l remote.Login, err error) {
	id, ok := clm.RefID(value)
	if !ok {
		return l, unfit("the credential is not there")
	}
	path, err := tx.PathByID(id)
	if err != nil {
		return l, unfit("the credential is not there")
	}
	if err := isCredential(path); err != nil {
		return l, unfit("it is no credential")
	}
	o := path.Last()
	l.User = firstOf(o, clm.Username)
	owned, err := tx.SecretsOf(o.ID)
	if err != nil {
		return l, err
	}
	for _, s := range owned {
		if strconv.FormatInt(s.ID, 10) != firstOf(o, clm.SecretNumber) {
			continue
		}
		_, values, err := c.openCredential(tx, string(o.DN), s.ID)
		if err != nil {
			return l, unfit("the credential cannot be opened")
		}
		l.Password = secret.NewPlain(values[passwordValue])
		if key := values[keyValue]; len(key) > 0 {
			l.Key, l.Passphrase, l.Password = secret.NewPlain(key), l.Password, secret.Plain{}
		}
	}
	return l, nil
}

// hostName is the first name of the certificate in use that is a host's.
func hostName(place clm.Path) string {
	o := place.Last()
	for _, name := range append(o.Own[clm.CommonName], o.Own[clm.SANDNS]...) {
		if strings.Contains(name, ".") && !strings.ContainsAny(name, " *") {
			return name
		}
	}
	return ""
}

// looksOf says where the application at the end of the path shows its certificate.
func looksOf(path clm.Path, s deploy.Settings, driver deploy.Driver, name string) (looks []look.Spec, err error) {
	if path.Value(clm.NoValidate).IsOn() || path.Value(clm.NoLook).IsOn() {
		return nil, nil
	}
	given := path.Value(clm.LookAt).Values
	if len(given) > maxLooks {
		return nil, unfit("there are more than %d places to look at", maxLooks)
	}
	for _, text := range given {
		spec, err := look.Parse(text)
		if err != nil {
			return nil, unfit("%w", err)
		}
		looks = append(looks, spec)
	}
	host, port := path.Value(clm.ListenHost).First(), number(path.Value(clm.ListenPort).First(), 0)
	if len(looks) == 0 && (driver.Protocol != "" || host != "" || port != 0) {
		looks = []look.Spec{{Host: cmp.Or(host, s.Address, "127.0.0.1"), Port: cmp.Or(port, driver.Port, 443)}}
	}
	for n := range looks {
		looks[n].Protocol, looks[n].Name = cmp.Or(looks[n].Protocol, driver.Protocol, look.TLS), cmp.Or(looks[n].Name, name)
	}
	return looks, nil
}

// number reads a setting; one that is no number is as good as none.
func number(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return otherwise
	}
	return n
}
