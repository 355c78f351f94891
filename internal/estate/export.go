package estate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// ExportOptions say what is exported, and where to.
type ExportOptions struct {
	NoCertificates bool
	Next           func() (io.Writer, error) // begins another file where one is full; nil: there is only one
}

// maxRemarks is how many remarks are written one by one.
const maxRemarks = 10_000

// Export writes the present state as an estate file: applied to the same installation it
// changes nothing, and applied to an empty one it makes the same, but for secrets, and
// for certificates, of which the places are made. What a file cannot say is listed in
// comments at the end. Only a master may. It fails with ErrTooLarge where there is more
// than the limits of a file allow, and no other may be begun; what was written then is
// not all.
//
// Objects are written as they are read, so that it does not matter how many there are.
func Export(ctx context.Context, c *core.Core, who clm.Actor, out io.Writer, opt ExportOptions) error {
	x := &exporting{
		core: c, who: who, opt: opt, sheet: &sheet{out: out, next: opt.Next}, there: map[string]bool{}, used: map[string]bool{},
	}
	for _, step := range []func(context.Context) error{
		x.look, x.server, x.issuers, x.groups, x.users, x.services, x.applications, x.fieldsOf, x.authorities, x.folders, x.workflows, x.credentials,
		x.ssh, x.objects, x.certificates, x.devices,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return x.finish()
}

// exporting is an installation on its way into a file.
type exporting struct {
	core  *core.Core
	who   clm.Actor
	opt   ExportOptions
	sheet *sheet

	accounts   []core.Account
	names      map[string]string // of users and groups, by ID
	fields     []core.Field
	groupNames core.GroupNames
	engines    map[string]string // their names, by ID
	used       map[string]bool   // the names of engines that folders have
	there      map[string]bool   // objects that were looked up, by key of the DN

	remarks []string
	more    int // further remarks, which are only counted
}

// look reads what the objects refer to.
func (x *exporting) look(ctx context.Context) (err error) {
	if x.accounts, err = x.core.Accounts(ctx, x.who); err != nil {
		return err
	}
	x.names, x.engines = map[string]string{}, map[string]string{}
	for _, a := range x.accounts {
		x.names[string(a.ID)] = a.Name
	}
	if x.fields, err = x.core.CustomFields(ctx); err != nil {
		return err
	}
	if x.groupNames, err = x.core.GroupNames(ctx); err != nil {
		return err
	}
	engines, err := x.core.Engines(ctx, x.who)
	for _, e := range engines {
		x.engines[string(e.ID)] = e.DN.Name()
	}
	if err != nil {
		return err
	}
	return x.sheet.print("# Written by certwright export.\n")
}

// remark keeps something that the file cannot say. Whatever is in it, it stays one line:
// the names in it are from people who may write less than who applies the file.
func (x *exporting) remark(format string, args ...any) {
	if len(x.remarks) >= maxRemarks {
		x.more++
		return
	}
	x.remarks = append(x.remarks, strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' { // YAML ends lines with these, too
			return ' '
		}
		return r
	}, fmt.Sprintf(format, args...)))
}

// finish writes what the file does not say.
func (x *exporting) finish() error {
	lines := []string{
		"Left out: passwords and secrets, private keys and what credentials hold; certificates themselves and the work for them; tickets;",
		"SSH certificates; what clients have put into the vault.",
	}
	if len(x.remarks) > 0 {
		lines = append(lines, "What cannot be said in an estate file:")
	}
	for _, r := range x.remarks {
		lines = append(lines, "- "+r)
	}
	if x.more > 0 {
		lines = append(lines, fmt.Sprintf("- and %d more", x.more))
	}
	return x.sheet.print("\n# " + strings.Join(lines, "\n# ") + "\n")
}

// add writes an item, if files can have it.
func (x *exporting) add(section, what string, i item) error {
	wrapped := newItem()
	wrapped.add(section, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{i.node}})
	if err := x.readable(wrapped.node, section); err != nil {
		x.remark("%s: %q", what, err.Error())
		return nil
	}
	return x.sheet.add(section, i.node)
}

// readable makes sure that what is written can be read.
func (x *exporting) readable(n *yaml.Node, section string) error {
	var b bytes.Buffer
	if err := yaml.NewEncoder(&b).Encode(n); err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(b.Bytes(), &document); err != nil {
		return err
	}
	if !same(n, document.Content[0]) {
		return errors.New("it cannot be written so that it is read as it is")
	}
	left := MaxValues
	v := value{node: document.Content[0], left: &left}
	return v.object(keys{section: (&File{}).sections()[section]})
}

// same reports whether two nodes say the same.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, same)
}

// walk calls fn for all objects of the classes, in the order of their DNs.
func (x *exporting) walk(ctx context.Context, classes []clm.Class, fn func(core.Node) error) error {
	var failed error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	keep := func(n core.Node) bool {
		if failed == nil {
			if failed = fn(n); failed != nil {
				stop()
			}
		}
		return false
	}
	_, err := x.core.Search(ctx, x.who, core.Search{Classes: classes, Links: true, Keep: keep})
	if failed != nil {
		return failed
	}
	return err
}

// classesOf are all classes that fit.
func classesOf(fits func(*names.ClassDef) bool) (list []clm.Class) {
	for _, d := range names.Classes() {
		if fits(d) && !slices.Contains(list, d.Class) {
			list = append(list, d.Class)
		}
	}
	return list
}

func derived(base clm.Class) []clm.Class {
	return classesOf(func(d *names.ClassDef) bool { return d.Class.Is(base) })
}

func (x *exporting) server(ctx context.Context) error {
	root, err := x.core.Object(ctx, x.who, string(clm.RootDN))
	if err != nil {
		return err
	}
	first := func(a clm.Attr) string { return clm.Setting{Values: root.Own[a]}.First() }
	i := newItem()
	i.add("workToDoTimeout", said(first(clm.WaitSetting)))
	i.add("lateCertificates", said(first(clm.LateOrders)))
	for _, k := range []struct {
		key  string
		attr clm.Attr
	}{{"listSameKey", clm.ListSameKey}, {"ocspNonce", clm.OCSPNonce}, {"selfApproval", clm.SelfApproval}} {
		if v := first(k.attr); v != "" {
			i.add(k.key, boolean(v == "1"))
		}
	}
	i.add("clientAuthorities", sequence(root.Own[clm.LoginIssuers]))
	tickets, err := x.core.Object(ctx, x.who, core.TicketsDN)
	if err != nil && !errors.Is(err, clm.NotFound) {
		return err
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, known := range tickets.Own[clm.Reasons] {
		r := newItem()
		parts := strings.SplitN(known, ",", 3)
		for at, key := range []string{"code", "name", "description"} {
			if at < len(parts) {
				r.add(key, scalar(parts[at]))
			}
		}
		list.Content = append(list.Content, r.node)
	}
	if read, ok := x.readsReasons(list); ok && slices.Equal(read, tickets.Own[clm.Reasons]) {
		i.add("reasons", list)
	} else {
		x.remark("reasons: %q", tickets.Own[clm.Reasons])
	}
	return x.sheet.addMapping("server", i.node)
}

func (x *exporting) readsReasons(list *yaml.Node) ([]string, bool) {
	f := &File{}
	left := MaxValues
	err := f.readReasons(value{node: list, left: &left})
	return f.reasons.values, err == nil
}

func (x *exporting) authorities(ctx context.Context) error {
	return x.walk(ctx, []clm.Class{clm.Authority}, func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		x.thing(ctx, i, n, authorityKeys)
		return x.add("authorities", string(n.DN), i)
	})
}

func (x *exporting) folders(ctx context.Context) error {
	return x.walk(ctx, []clm.Class{clm.Folder}, func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		i.add("groupName", said(ownGroupName(x.groupNames, n.Object)))
		x.thing(ctx, i, n, folderKeys)
		return x.add("folders", string(n.DN), i)
	})
}

func (x *exporting) workflows(ctx context.Context) error {
	return x.walk(ctx, []clm.Class{clm.Workflow}, func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		x.thing(ctx, i, n, workflowKeys)
		return x.add("workflows", string(n.DN), i)
	})
}

func (x *exporting) credentials(ctx context.Context) error {
	return x.walk(ctx, derived(clm.Credential), func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		i.add("kind", scalar(kindOfCredential(n.Class)))
		x.thing(ctx, i, n, credentialKeys)
		return x.add("credentials", string(n.DN), i)
	})
}

func (x *exporting) ssh(ctx context.Context) error {
	named := func(section, below string, head func(item, core.Node), table []attrKey) func(core.Node) error {
		return func(n core.Node) error {
			if n.DN.Parent().Key() != clm.DN(below).Key() {
				x.remark("%s: it does not stand in %s", n.DN, below)
				return nil
			}
			i := newItem()
			i.add("name", scalar(n.DN.Name()))
			head(i, n)
			x.thing(ctx, i, n, table)
			return x.add(section, string(n.DN), i)
		}
	}
	pair := func(i item, n core.Node) {
		i.add("algorithm", said(core.SSHKeyPair{Object: n.Object}.Algorithm()))
	}
	if err := x.walk(ctx, []clm.Class{clm.SSHKeyPair}, named("sshKeyPairs", core.SSHKeyPairsDN, pair, sshKeyPairKeys)); err != nil {
		return err
	}
	return x.walk(ctx, []clm.Class{clm.SSHTemplate}, named("sshTemplates", core.SSHTemplatesDN, func(item, core.Node) {}, sshTemplateKeys))
}

// objects writes those that have no section of their own.
func (x *exporting) objects(ctx context.Context) error {
	write := func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		i.add("class", scalar(names.TypeName(n.Object)))
		begun := len(i.node.Content)
		x.thing(ctx, i, n, objectKeys)
		comesByItself := n.Class == clm.Engine || n.Class.Is(clm.Module)
		if comesByItself && len(i.node.Content) == begun && !x.used[n.DN.Name()] {
			return nil
		}
		return x.add("objects", string(n.DN), i)
	}
	root, err := x.core.Object(ctx, x.who, string(clm.RootDN))
	if err == nil {
		err = write(root)
	}
	if err != nil {
		return err
	}
	return x.walk(ctx, classesOf(isGeneric), write)
}

// certificates writes the places of certificates.
func (x *exporting) certificates(ctx context.Context) error {
	if x.opt.NoCertificates {
		return nil
	}
	table := append(slices.Clone(certificateKeys), attrKey{"disabled", clm.Off, nil, onlyYes})
	return x.walk(ctx, derived(clm.CertificateBase), func(n core.Node) error {
		i := newItem()
		i.add("dn", scalar(string(n.DN)))
		i.add("class", scalar(names.TypeName(n.Object)))
		i.add("issue", boolean(false))
		x.thing(ctx, i, n, table)
		return x.add("certificates", string(n.DN), i)
	})
}

// devices writes devices with what is on them. In the order of DNs, what is on a device
// may come after devices whose names only begin like its name; so the devices that may
// still get more are kept, and those are few.
func (x *exporting) devices(ctx context.Context) error {
	var open []*deviceItem
	closeUntil := func(key string) error {
		for len(open) > 0 {
			last := open[len(open)-1]
			if strings.HasPrefix(key, last.key) {
				return nil
			}
			open = open[:len(open)-1]
			if err := x.device(ctx, last); err != nil {
				return err
			}
		}
		return nil
	}
	err := x.walk(ctx, append(derived(clm.Application), clm.Device), func(n core.Node) error {
		if err := closeUntil(n.DN.Key()); err != nil {
			return err
		}
		if n.Class == clm.Device {
			open = append(open, &deviceItem{key: n.DN.Key(), node: n})
			return nil
		}
		at := slices.IndexFunc(open, func(d *deviceItem) bool { return d.key == n.DN.Parent().Key() })
		if at < 0 {
			x.remark("%s: it does not stand on a device", n.DN)
			return nil
		}
		open[at].programs = append(open[at].programs, x.program(ctx, n))
		return nil
	})
	if err != nil {
		return err
	}
	return closeUntil("\x00")
}

// A deviceItem is a device that is being put together.
type deviceItem struct {
	key      string
	node     core.Node
	programs []*yaml.Node
}

func (x *exporting) program(ctx context.Context, n core.Node) *yaml.Node {
	i := newItem()
	i.add("name", scalar(n.DN.Name()))
	i.add("class", scalar(names.TypeName(n.Object)))
	x.thing(ctx, i, n, programKeys)
	if bound := (clm.Setting{Values: n.Own[clm.Bound]}).First(); bound != "" && !x.opt.NoCertificates {
		i.add("certificate", scalar(bound))
	} else if bound != "" {
		x.remark("%s: it uses %s", n.DN, bound)
	}
	return i.node
}

func (x *exporting) device(ctx context.Context, d *deviceItem) error {
	i := newItem()
	i.add("dn", scalar(string(d.node.DN)))
	x.thing(ctx, i, d.node, deviceKeys)
	if len(d.programs) > MaxEntries {
		x.remark("%s: it has %d applications, more than %d", d.node.DN, len(d.programs), MaxEntries)
		d.programs = d.programs[:MaxEntries]
	}
	i.add("applications", &yaml.Node{Kind: yaml.SequenceNode, Content: d.programs})
	return x.add("devices", string(d.node.DN), i)
}
