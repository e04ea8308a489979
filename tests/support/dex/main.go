// Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
// MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: MIT OR GPL-3.0-or-later

// Dex with people and groups from its standard input, which is JSON. Its own program needs a C compiler for a database that is not
// used here. Keys are in memory: another start signs with others.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/connector"
	"github.com/dexidp/dex/pkg/log"
	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/sirupsen/logrus"
)

type person struct {
	Name, Password, Email string
	Verified              bool
	Groups                []string
}

type setup struct {
	Listen, Client, Secret, Redirect string
	TokenSeconds                     int
	People                           []person
}

// people is a connector: who gives a name and the password gets what the setup says.
type people struct{ known []person }

func (p *people) Open(string, log.Logger) (connector.Connector, error) { return p, nil }

func (p *people) Prompt() string { return "Name" }

func (p *people) Login(_ context.Context, _ connector.Scopes, name, password string) (connector.Identity, bool, error) {
	for _, each := range p.known {
		if each.Name == name && each.Password == password {
			return connector.Identity{UserID: name, Username: name, Email: each.Email, EmailVerified: each.Verified, Groups: each.Groups}, true, nil
		}
	}
	return connector.Identity{}, false, nil
}

func run() error {
	var given setup
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", given.Listen)
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String() + "/dex"
	logger := logrus.New()
	server.ConnectorsConfig["people"] = func() server.ConnectorConfig { return &people{given.People} }
	store := storage.WithStaticClients(memory.New(logger), []storage.Client{
		{ID: given.Client, Secret: given.Secret, RedirectURIs: []string{given.Redirect}, Name: "portal"},
	})
	store = storage.WithStaticConnectors(store, []storage.Connector{{ID: "people", Type: "people", Name: "people", Config: []byte("{}")}})
	dex, err := server.NewServer(context.Background(), server.Config{
		Issuer:             issuer,
		Storage:            store,
		SkipApprovalScreen: true,
		IDTokensValidFor:   time.Duration(given.TokenSeconds) * time.Second,
		Logger:             logger,
	})
	if err != nil {
		return err
	}
	fmt.Println("issuer " + issuer)
	return http.Serve(listener, dex)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
